import { type MemcgOverride } from '../engine/autopilot-overrides.js';

import { checkMemcgSettings, flagOf, textOfValue, valueOfText } from '../engine/autopilot-values.js';
import { ColdpgsError } from '../errors.js';

/** What is to happen to the memcgs with settings of their own. */
export interface CgroupCommand {
  readonly word: 'add' | 'set' | 'del';
  readonly override: MemcgOverride;
}

const highestNode = 1023;

/**
 * Settings of a memcg as mem-agent's command lines have them: `path=/pod,numa-id=0:1,no-subdir=true,period-secs=60`, in any order, keys with dashes or
 * underscores. Bytes of a path that mean something here are written as in /proc/mounts: `\054` is a comma. Throws BAD_VALUE.
 */
export function parseCgroup(text: string): MemcgOverride {
  const settings: Record<string, unknown> = {};
  let path: string | undefined;
  let nodes: readonly number[] = [];
  let noSubdir = false;
  for (const part of text.split(',')) {
    const equals = part.indexOf('=');
    const key = part.slice(0, Math.max(0, equals)).trim().replaceAll('-', '_');
    const value = part.slice(equals + 1).trim();
    if (equals === -1) throw bad(text, `${JSON.stringify(part)} is no key=value`);
    if (key in settings || (key === 'path' && path !== undefined)) throw bad(text, `${key} is there twice`);
    if (key === 'path') path = normalPath(text, value);
    else if (key === 'numa_id') nodes = parseNodes(text, value);
    else if (key === 'no_subdir') noSubdir = parseFlag(text, key, value);
    else settings[key] = valueOfText(value);
  }
  if (path === undefined) throw bad(text, 'there is no path=');
  return { path, nodes, noSubdir, settings: checkMemcgSettings(settings, `memcg ${path}`) };
}

/** As {@link parseCgroup} reads it. */
export function cgroupText({ path, nodes, noSubdir, settings }: MemcgOverride): string {
  return [
    `path=${escaped(path)}`,
    ...(nodes.length > 0 ? [`numa-id=${nodes.join(':')}`] : []),
    ...(noSubdir ? ['no-subdir=true'] : []),
    ...Object.entries(settings).map(([key, value]) => `${key.replaceAll('_', '-')}=${textOfValue(value)}`),
  ].join(',');
}

/** A line of the file `cgroups`: add, set or del, and the memcg. Throws BAD_VALUE. */
export function parseCgroupCommand(line: string): CgroupCommand {
  const [, word, rest = ''] = /^(add|set|del) (.*)$/s.exec(line) ?? [];
  if (word !== 'add' && word !== 'set' && word !== 'del')
    throw bad(line, 'lines begin with add, set or del, as in: add path=/pod,period-secs=60');
  return { word, override: parseCgroup(rest) };
}

/**
 * The overrides after some commands, in mem-agent's order: all dels, then adds, then sets. An override is known by its path and its nodes. Throws
 * BAD_VALUE where one that is to be added is there, or one that is to be changed or removed is not; nothing is changed then.
 */
export function afterCommands(
  overrides: readonly MemcgOverride[],
  commands: readonly CgroupCommand[],
): MemcgOverride[] {
  const byKey = new Map(overrides.map((one) => [keyOf(one), one]));
  for (const word of ['del', 'add', 'set'] as const)
    for (const { override } of commands.filter((one) => one.word === word)) {
      const known = byKey.get(keyOf(override));
      if (word === 'add' && known) throw bad(cgroupText(override), 'it has settings of its own already: use set');
      if (word !== 'add' && !known) throw bad(cgroupText(override), 'it has no settings of its own: use add');
      if (word === 'del') byKey.delete(keyOf(override));
      else if (word === 'add') byKey.set(keyOf(override), override);
      else byKey.set(keyOf(override), { ...override, settings: { ...known?.settings, ...override.settings } });
    }
  return [...byKey.values()];
}

function keyOf({ path, nodes }: MemcgOverride): string {
  return `${[...nodes].sort().join(':')} ${path}`;
}

function normalPath(text: string, value: string): string {
  const path = `/${unescaped(value)}`.replace(/\/+/g, '/').replace(/(.)\/$/, '$1');
  if (path.split('/').some((name) => name === '.' || name === '..'))
    throw bad(text, `${JSON.stringify(path)} is no path of a memcg`);
  return path;
}

function parseNodes(text: string, value: string): number[] {
  const nodes = value === '' ? [] : value.split(':').map((node) => (/^\d{1,4}$/.test(node) ? Number(node) : -1));
  if (nodes.some((node) => node < 0 || node > highestNode) || new Set(nodes).size < nodes.length)
    throw bad(
      text,
      `numa-id takes different nodes from 0 to ${highestNode} with ":" between, not ${JSON.stringify(value)}`,
    );
  return nodes;
}

function parseFlag(text: string, key: string, value: string): boolean {
  const flag = flagOf(valueOfText(value));
  if (typeof flag !== 'boolean')
    throw bad(text, `${key} takes true or false (or 1 or 0), not ${JSON.stringify(value)}`);
  return flag;
}

function escaped(path: string): string {
  return path.replace(/[\\,\s=]/g, (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

function unescaped(text: string): string {
  return text.replace(/\\([0-3][0-7]{2})/g, (_whole, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

function bad(text: string, why: string): ColdpgsError {
  const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  return new ColdpgsError(
    'BAD_VALUE',
    'EINVAL',
    `Settings of a memcg: ${why} (in ${JSON.stringify(shown)}). Nothing was changed.`,
  );
}
