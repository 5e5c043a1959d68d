import { isSeq, type Node } from 'yaml';
import type { MemcgOverride } from '../engine/autopilot-overrides.js';
import { compactRows, memcgRows, type SettingRow } from '../engine/autopilot-settings.js';
import { checkCompactSettings, checkMemcgSettings, type GivenSettings } from '../engine/autopilot-values.js';
import { sentenceOf } from '../errors.js';
import { parseCgroup } from '../files/mem-agent-cgroups.js';
import { type Entry, givenOf, shownNode } from './config-nodes.js';

/** Says what is wrong at a place of the text. */
export type Complain = (offset: number, sentence: string) => void;

/** The settings of one half of the autopilot, and how they are checked. */
export interface Half<Settings> {
  readonly rows: readonly SettingRow<Settings>[];
  readonly check: (given: GivenSettings, about: string) => Partial<Settings>;
}

export const memcgHalf = { rows: memcgRows, check: checkMemcgSettings };
export const compactHalf = { rows: compactRows, check: checkCompactSettings };

/** One setting by its key; nothing where it is wrong, which is said at the key that is not known, else at the value. */
export function readSetting<Settings>(
  { rows, check }: Half<Settings>,
  { value, keyAt, valueAt }: Entry,
  key: string,
  about: string,
  complain: Complain,
): Partial<Settings> {
  const isKnown = rows.some((row) => row.key === key);
  const given = givenOf(value);
  try {
    if (given || !isKnown) return check({ [key]: given?.value }, about);
    complain(valueAt, `${about} ${key} takes one value, not ${shownNode(value)}`);
  } catch (failure) {
    complain(isKnown ? valueAt : keyAt, withoutAftermath(failure));
  }
  return {};
}

/** A memcg with settings of its own, as a map that stands at `offset`. Undefined where something is wrong, each mistake said at its place. */
export function readCgroup(entries: readonly Entry[], offset: number, complain: Complain): MemcgOverride | undefined {
  const byKey = new Map<string, Entry>();
  let isRight = true;
  const wrong: Complain = (at, sentence) => {
    isRight = false;
    complain(at, sentence);
  };
  for (const entry of entries) {
    const key = entry.key.replaceAll('-', '_');
    if (byKey.has(key)) wrong(entry.keyAt, `${entry.key} is there twice`);
    byKey.set(key, entry);
  }
  if (!byKey.has('path')) wrong(offset, 'Settings of a memcg: there is no path=');
  /** What a text says of these keys, as on a command line. */
  const read = (key: string, textOf: (node: Node | null) => string | undefined): MemcgOverride | undefined => {
    const entry = byKey.get(key);
    byKey.delete(key);
    if (!entry) return undefined;
    const text = textOf(entry.value);
    try {
      if (text !== undefined) return parseCgroup(`${key === 'path' ? '' : 'path=/,'}${key}=${escaped(text)}`);
      wrong(entry.valueAt, `Settings of a memcg: ${entry.key} cannot be ${shownNode(entry.value)}`);
    } catch (failure) {
      wrong(entry.valueAt, withoutAftermath(failure));
    }
    return undefined;
  };
  const path = read('path', wordOf)?.path ?? '/';
  const nodes = read('numa_id', nodesOf)?.nodes ?? [];
  const noSubdir = read('no_subdir', flagOf)?.noSubdir ?? false;
  const settings = [...byKey].map(([key, entry]) => readSetting(memcgHalf, entry, key, `memcg ${path}`, wrong));
  return isRight
    ? { path, nodes, noSubdir, settings: Object.assign({}, ...settings) as MemcgOverride['settings'] }
    : undefined;
}

/** Nothing is ever changed by a file that is wrong: said once, not for each mistake. */
export function withoutAftermath(failure: unknown): string {
  return sentenceOf(failure).replace(/\.? Nothing was changed\.$/, '');
}

function wordOf(node: Node | null): string | undefined {
  const given = givenOf(node);
  return typeof given?.value === 'boolean' ? undefined : given?.text;
}

function nodesOf(node: Node | null): string | undefined {
  if (!isSeq(node)) return wordOf(node);
  const words = (node.items as (Node | null)[]).map(wordOf);
  return words.every((word) => word !== undefined) ? words.join(':') : undefined;
}

function flagOf(node: Node | null): string | undefined {
  const given = givenOf(node);
  return typeof given?.value === 'string' ? undefined : given?.text;
}

/** In a text of key=value,... a comma in a path means something else. */
function escaped(text: string): string {
  return text.replace(/[\\,\s=]/g, (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
