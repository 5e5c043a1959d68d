import { compactRows, memcgRows } from '../engine/autopilot-settings.js';
import { checkCompactSettings, checkMemcgSettings, valueOfText } from '../engine/autopilot-values.js';
import { ColdpgsError } from '../errors.js';
import type { AutopilotStart } from './autopilot-start.js';

/** One `key = value` of Kata's, and where it stands. */
export interface KataEntry {
  readonly key: string;
  readonly value: string;
  /** For people: a file and line, or a file. */
  readonly place: string;
}

const enableKey = 'mem_agent_enable';

/** Kata's names: mem_agent_enable, memcg_disable, memcg_period_secs, compact_disable, compact_sec_max and so on. */
const settingsByKey = new Map<string, { readonly half: 'memcg' | 'compact'; readonly key: string }>([
  ...memcgRows.map(({ key }) => [kataKey('memcg', key), { half: 'memcg', key }] as const),
  ...compactRows.map(({ key }) => [kataKey('compact', key), { half: 'compact', key }] as const),
]);

/** Whether a key is one of those that mem-agent has in Kata, or looks like one. */
export function isKataKey(key: string): boolean {
  return /^(mem_agent|memcg|compact)_/.test(key);
}

/**
 * What Kata's settings say. As there, mem_agent_enable turns on both halves but for one that is disabled by its own key. Entries without it
 * leave it to other sources whether they are on, but for one that is disabled. A key that is there twice must say the same. Throws BAD_SETTING naming the place.
 */
export function autopilotOfKata(entries: readonly KataEntry[]): AutopilotStart {
  const wrong: string[] = [];
  const seen = new Map<string, KataEntry>();
  const given: Record<'memcg' | 'compact', Record<string, unknown>> = { memcg: {}, compact: {} };
  let enabled: boolean | undefined;
  for (const entry of entries) {
    const { key, value, place } = entry;
    const before = seen.get(key);
    seen.set(key, entry);
    const setting = settingsByKey.get(key);
    if (before && before.value !== value)
      wrong.push(`${place}: ${key} is ${value} here and ${before.value} at ${before.place}`);
    else if (key === enableKey && isFlag(value)) enabled = flagOf(value);
    else if (key === enableKey) wrong.push(`${place}: ${key} takes true or false (or 1 or 0), not ${value}`);
    else if (!setting)
      wrong.push(`${place}: there is no ${key}; there are ${[enableKey, ...settingsByKey.keys()].join(', ')}`);
    else {
      const half = setting.half;
      const parsed = { [setting.key]: valueOfText(value) };
      try {
        Object.assign(
          given[half],
          half === 'memcg' ? checkMemcgSettings(parsed, key) : checkCompactSettings(parsed, key),
        );
      } catch (failure) {
        wrong.push(`${place}: ${failure instanceof Error ? failure.message : String(failure)}`);
      }
    }
  }
  if (wrong.length > 0) throw new ColdpgsError('BAD_SETTING', 'EINVAL', wrong.join('\n'));
  return { memcg: halfOf(enabled, given.memcg), compact: halfOf(enabled, given.compact) };
}

function halfOf(enabled: boolean | undefined, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { disabled, ...others } = given;
  if (enabled !== undefined) return { ...others, disabled: !enabled || disabled === true };
  return disabled === true ? given : others;
}

/** Kata has `disable` where the JSON has `disabled`, and names the half once. */
function kataKey(half: 'memcg' | 'compact', key: string): string {
  if (key === 'disabled') return `${half}_disable`;
  return key.startsWith(`${half}_`) ? key : `${half}_${key}`;
}

function isFlag(value: string): boolean {
  return ['true', 'false', '1', '0'].includes(value);
}

function flagOf(value: string): boolean {
  return value === 'true' || value === '1';
}
