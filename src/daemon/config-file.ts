import { readFileSync } from 'node:fs';
import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { conflictOf, type MemcgOverride } from '../engine/autopilot-overrides.js';
import { checkCompactSettings, checkMemcgSettings } from '../engine/autopilot-values.js';
import { ColdpgsError, sentenceOf } from '../errors.js';
import { parseCgroup } from '../files/mem-agent-cgroups.js';
import type { AutopilotStart } from './autopilot-start.js';
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
    for (const [key, value, pair] of this.#entries(contents, 'the file')) {
      if (key === autopilotKey) autopilot = this.#autopilot(value);
      else if (!(key in settingsSchema.shape))
        this.#say(
          offsetOf(pair.key),
          `there is no setting ${key}; there are ${[...Object.keys(settingsSchema.shape), autopilotKey].join(', ')}`,
        );
      else {
        const given = isScalar(value) ? value.value : undefined;
        options[key] = typeof given === 'boolean' ? given : String(given);
        const issue = settingsSchema.safeParse({ [key]: options[key] }).error?.issues[0];
        if (issue) this.#say(offsetOf(value), `${key}: ${issue.message}, not ${JSON.stringify(given) ?? 'this'}`);
      }
    }
    return { options, autopilot };
  }

  #autopilot(section: Node | null): AutopilotStart {
    const start: { -readonly [Key in keyof AutopilotStart]: AutopilotStart[Key] } = { memcg: {}, compact: {} };
    for (const [key, value, pair] of this.#entries(section, autopilotKey)) {
      if (key === 'memcg') start.memcg = this.#checked(value, key, checkMemcgSettings);
      else if (key === 'compact') start.compact = this.#checked(value, key, checkCompactSettings);
      else if (key === 'cgroups') start.overrides = this.#cgroups(value);
      else this.#say(offsetOf(pair.key), `${autopilotKey} has no ${key}; it has memcg, compact and cgroups`);
    }
    return start;
  }

  /** Each key is checked by itself, so that each mistake is told at its own place. */
  #checked<Settings>(
    section: Node | null,
    about: string,
    check: (given: Record<string, unknown>, about: string) => Partial<Settings>,
  ): Partial<Settings> {
    const settings: Partial<Settings> = {};
    for (const [key, value, pair] of this.#entries(section, about))
      try {
        Object.assign(settings, check({ [key]: isScalar(value) ? value.value : undefined }, about));
      } catch (failure) {
        this.#say(offsetOf(pair.key), withoutAftermath(failure));
      }
    return settings;
  }

  /** Memcgs with settings of their own, each as a text like on the command line or as a map of the same keys. */
  #cgroups(section: Node | null): MemcgOverride[] {
    if (!isSeq(section)) {
      this.#say(offsetOf(section), 'cgroups takes a list of memcgs');
      return [];
    }
    const overrides: MemcgOverride[] = [];
    for (const item of section.items as Node[])
      try {
        const override = this.#cgroup(item);
        const conflict = conflictOf([...overrides, override]);
        if (conflict === undefined) overrides.push(override);
        else this.#say(offsetOf(item), conflict);
      } catch (failure) {
        this.#say(offsetOf(item), withoutAftermath(failure));
      }
    return overrides;
  }

  #cgroup(item: Node): MemcgOverride {
    if (isScalar(item)) return parseCgroup(String(item.value));
    const parts = this.#entries(item, 'a memcg of cgroups').map(([key, value]) => `${key}=${cgroupValue(value)}`);
    return parseCgroup(parts.join(','));
  }

  #entries(
    section: Node | null,
    about: string,
  ): (readonly [key: string, value: Node | null, pair: Pair<Node, Node | null>])[] {
    if (isMap(section))
      return (section as YAMLMap<Node, Node | null>).items.map((pair) => [
        String(isScalar(pair.key) ? pair.key.value : pair.key),
        pair.value,
        pair,
      ]);
    this.#say(offsetOf(section), `${about} takes keys and values`);
    return [];
  }

  #say(offset: number, sentence: string): void {
    this.#wrong.push({ offset, sentence });
  }
}

function offsetOf(node: Node | null): number {
  return node?.range?.[0] ?? 0;
}

/** In a text of key=value,... a comma in a path means something else. */
function cgroupValue(value: Node | null): string {
  const text = isSeq(value)
    ? value.items.map((item) => String(isScalar(item) ? item.value : item)).join(':')
    : String(isScalar(value) ? value.value : value);
  return text.replace(/[\\,\s=]/g, (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

/** Nothing is ever changed by a file that is wrong: said once, not for each mistake. */
function withoutAftermath(failure: unknown): string {
  return sentenceOf(failure).replace(/\.? Nothing was changed\.$/, '');
}
