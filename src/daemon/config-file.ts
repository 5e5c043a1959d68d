import { readFileSync } from 'node:fs';
import { isMap, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';
import { conflictOf, type MemcgOverride } from '../engine/autopilot-overrides.js';
import { ColdpgsError } from '../errors.js';
import { parseCgroup } from '../files/mem-agent-cgroups.js';
import type { AutopilotStart } from './autopilot-start.js';
import {
  compactHalf,
  type Complain,
  type Half,
  memcgHalf,
  readCgroup,
  readSetting,
  withoutAftermath,
} from './config-autopilot.js';
import { type Entry, entryOf, givenOf, offsetOf, shownNode } from './config-nodes.js';
import { settingsSchema } from './settings.js';

/** What a configuration file says. */
export interface ConfigFile {
  /** Options of `coldpgs mount` by name, as they would be given on its command line. */
  readonly options: Readonly<Record<string, string | boolean>>;
  readonly autopilot: AutopilotStart;
}

const autopilotKey = 'mem_agent';

/** Reads a configuration file. Throws BAD_SETTING with a line `FILE:LINE:COLUMN: sentence` for each thing that is wrong in it. */
export function readConfigFile(file: string): ConfigFile {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (failure) {
    throw new ColdpgsError('BAD_SETTING', 'EINVAL', `The configuration file ${file} cannot be read.`, failure);
  }
  return parseConfig(text, file);
}

/** As {@link readConfigFile}, of a text. */
export function parseConfig(text: string, file: string): ConfigFile {
  return new ConfigReader(file).read(text);
}

class ConfigReader {
  readonly #lines = new LineCounter();
  readonly #wrong: { readonly offset: number; readonly sentence: string }[] = [];

  constructor(private readonly file: string) {}

  read(text: string): ConfigFile {
    const document = parseDocument(text, { lineCounter: this.#lines, uniqueKeys: true });
    for (const { pos, message } of [...document.errors, ...document.warnings])
      this.#say(pos[0], message.split('\n')[0]?.replace(/ at line .*/, '') ?? 'this is no YAML');
    const config: ConfigFile = { options: {}, autopilot: { memcg: {}, compact: {} } };
    if (document.errors.length === 0 && document.contents !== null) Object.assign(config, this.#top(document.contents));
    if (this.#wrong.length === 0) return config;
    const sentences = this.#wrong
      .sort((one, other) => one.offset - other.offset)
      .map(({ offset, sentence }) => {
        const { line, col } = this.#lines.linePos(offset);
        return `${this.file}:${line}:${col}: ${sentence}`;
      });
    throw new ColdpgsError('BAD_SETTING', 'EINVAL', sentences.join('\n'));
  }

  #top(contents: Node): ConfigFile {
    const options: Record<string, string | boolean> = {};
    let autopilot: AutopilotStart = { memcg: {}, compact: {} };
    for (const { key, value, keyAt, valueAt } of this.#entries(contents, 0, 'the file')) {
      if (key === autopilotKey) autopilot = this.#autopilot(value, valueAt);
      else if (!(key in settingsSchema.shape))
        this.#say(
          keyAt,
          `there is no setting ${key}; there are ${[...Object.keys(settingsSchema.shape), autopilotKey].join(', ')}`,
        );
      else Object.assign(options, this.#option(key, value, valueAt));
    }
    return { options, autopilot };
  }

  /** Numbers are taken as they are written: permissions and dialects are no quantities. */
  #option(key: string, value: Node | null, valueAt: number): Record<string, string | boolean> {
    const given = givenOf(value);
    if (!given) {
      this.#say(valueAt, `${key}: takes one value, not ${shownNode(value)}`);
      return {};
    }
    const option = typeof given.value === 'boolean' ? given.value : given.text;
    const issue = settingsSchema.safeParse({ [key]: option }).error?.issues[0];
    if (issue) this.#say(valueAt, `${key}: ${issue.message}, not ${shownNode(value)}`);
    return { [key]: option };
  }

  #autopilot(section: Node | null, at: number): AutopilotStart {
    const start: { -readonly [Key in keyof AutopilotStart]: AutopilotStart[Key] } = { memcg: {}, compact: {} };
    for (const { key, value, keyAt, valueAt } of this.#entries(section, at, autopilotKey)) {
      if (key === 'memcg') start.memcg = this.#half(memcgHalf, value, valueAt, key);
      else if (key === 'compact') start.compact = this.#half(compactHalf, value, valueAt, key);
      else if (key === 'cgroups') start.overrides = this.#cgroups(value, valueAt);
      else this.#say(keyAt, `${autopilotKey} has no ${key}; it has memcg, compact and cgroups`);
    }
    return start;
  }

  #half<Settings>(half: Half<Settings>, section: Node | null, at: number, about: string): Partial<Settings> {
    const settings = this.#entries(section, at, about).map((entry) =>
      readSetting(half, entry, entry.key, about, this.#say),
    );
    return Object.assign({}, ...settings) as Partial<Settings>;
  }

  /** Memcgs with settings of their own, each as a text like on the command line or as a map of the same keys. */
  #cgroups(section: Node | null, at: number): MemcgOverride[] {
    if (!isSeq(section)) {
      this.#say(at, 'cgroups takes a list of memcgs');
      return [];
    }
    const overrides: MemcgOverride[] = [];
    for (const item of section.items as (Node | null)[]) {
      const itemAt = offsetOf(item) ?? at;
      const override = this.#cgroup(item, itemAt);
      const conflict = override && conflictOf([...overrides, override]);
      if (conflict !== undefined) this.#say(itemAt, conflict);
      else if (override) overrides.push(override);
    }
    return overrides;
  }

  #cgroup(item: Node | null, at: number): MemcgOverride | undefined {
    if (isMap(item)) return readCgroup(this.#entries(item, at, ''), at, this.#say);
    const given = givenOf(item);
    try {
      if (given) return parseCgroup(given.text);
      this.#say(at, `a memcg of cgroups is a text or keys and values, not ${shownNode(item)}`);
    } catch (failure) {
      this.#say(at, withoutAftermath(failure));
    }
    return undefined;
  }

  #entries(section: Node | null, at: number, about: string): Entry[] {
    if (isMap(section)) return (section as YAMLMap<Node, Node | null>).items.map(entryOf);
    this.#say(at, `${about} takes keys and values`);
    return [];
  }

  readonly #say: Complain = (offset, sentence) => void this.#wrong.push({ offset, sentence });
}
