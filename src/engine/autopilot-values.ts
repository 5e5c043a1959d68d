import { ColdpgsError } from '../errors.js';
import {
  type CompactSettings,
  compactRows,
  type MemcgSettings,
  memcgRows,
  neverTimes,
  type SettingRow,
} from './autopilot-settings.js';

/** A change of settings as it comes from outside: by key, checked by nobody yet. */
export type GivenSettings = Readonly<Record<string, unknown>>;

/** Checks a change of the memcg settings, whole. Throws BAD_VALUE with a sentence for each key that is wrong: what was given, what is allowed. */
export function checkMemcgSettings(given: GivenSettings, about = 'memcg'): Partial<MemcgSettings> {
  return checked(memcgRows, given, about);
}

/** The same for the compact settings. */
export function checkCompactSettings(given: GivenSettings, about = 'compact'): Partial<CompactSettings> {
  return checked(compactRows, given, about);
}

/** A value as it is written to a file or a command line: true, false, digits. What is none of these stays text, for the check to refuse. */
export function valueOfText(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^\d{1,20}(\.\d{1,6})?$/.test(text) ? Number(text) : text;
}

/** A flag may be a number: 1 and 0. Anything else is what it was. */
export function flagOf(value: unknown): unknown {
  return value === 0 || value === 1 ? value === 1 : value;
}

/** A value as files and command lines have it. */
export function textOfValue(value: boolean | number): string {
  return value === Infinity ? neverTimes.u64 : String(value);
}

function checked<Settings>(
  rows: readonly SettingRow<Settings>[],
  given: GivenSettings,
  about: string,
): Partial<Settings> {
  const wrong: string[] = [];
  const values: Record<string, boolean | number> = {};
  for (const [key, value] of Object.entries(given)) {
    const row = rows.find((one) => one.key === key);
    const parsed = row?.schema.safeParse(meant(key, value));
    if (!row) wrong.push(`${about} has no setting ${key}: it has ${rows.map((one) => one.key).join(', ')}`);
    else if (parsed?.success) values[key] = parsed.data;
    else wrong.push(`${about} ${key} takes ${row.allowed}, not ${shown(value)}`);
  }
  if (wrong.length > 0) throw new ColdpgsError('BAD_VALUE', 'EINVAL', `${wrong.join('. ')}. Nothing was changed.`);
  return values as Partial<Settings>;
}

function meant(key: string, value: unknown): unknown {
  if (key === 'disabled' || key === 'swap') return flagOf(value);
  return isNever(key, value) ? Infinity : value;
}

/** Numbers of this size lose digits on their way through JSON, so whatever is as large as the largest i64 is meant. */
function isNever(key: string, value: unknown): boolean {
  return key === 'compact_force_times' && typeof value === 'number' && value >= Number(neverTimes.i64);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}
