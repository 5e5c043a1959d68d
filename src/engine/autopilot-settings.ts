import * as z from 'zod';

/** What the autopilot goes by in one memcg. The names are those of the documents' JSON (MemAgentMemcgSet). */
export interface MemcgSettings {
  readonly disabled: boolean;
  /** false: page cache only. */
  readonly swap: boolean;
  /** As long as a run has page cache to take, at most so much of 200 of what it takes is anonymous; 0 to 200. */
  readonly swappiness_max: number;
  readonly period_secs: number;
  /** Percent of the time between two runs that tasks may have waited; more, and the run is left out. */
  readonly period_psi_percent_limit: number;
  /** The same while a run evicts; more ends it. */
  readonly eviction_psi_percent_limit: number;
  /** Agings in a row that must have found a page unused before it goes. */
  readonly eviction_run_aging_count_min: number;
}

/** What compactions of the machine go by (MemAgentCompactSet). */
export interface CompactSettings {
  readonly disabled: boolean;
  readonly period_secs: number;
  readonly period_psi_percent_limit: number;
  readonly compact_psi_percent_limit: number;
  readonly compact_sec_max: number;
  /** Blocks of 2^order pages are what is wanted; smaller ones are fragments. */
  readonly compact_order: number;
  /** Pages. */
  readonly compact_threshold: number;
  /** Periods without a compaction after which one is forced; Infinity is never. */
  readonly compact_force_times: number;
}

/** One setting: what it is called, what it may be, and what that means to a person. */
export interface SettingRow<Settings> {
  readonly key: keyof Settings & string;
  readonly schema: z.ZodType<boolean | number>;
  /** What is allowed, to go behind "takes". */
  readonly allowed: string;
  readonly says: string;
}

/** Both spellings of "never": the largest u64 (mem-agent), and the largest i64 (Kata, whose configuration has no larger number). */
export const neverTimes = { u64: '18446744073709551615', i64: '9223372036854775807' } as const;

export const longestPeriodSecs = 31_536_000;

export const memcgRows: readonly SettingRow<MemcgSettings>[] = [
  flag('disabled', 'no memcg is reclaimed by itself'),
  flag('swap', 'anonymous memory as well as page cache'),
  whole('swappiness_max', 0, 200, 'most of 200 that is anonymous while there is page cache to take'),
  whole('period_secs', 1, longestPeriodSecs, 'seconds between two runs'),
  percent('period_psi_percent_limit', 'pressure between two runs that forbids a run'),
  percent('eviction_psi_percent_limit', 'pressure during a run that ends it'),
  whole('eviction_run_aging_count_min', 1, 255, 'agings in a row that found a page unused before it goes'),
];

export const compactRows: readonly SettingRow<CompactSettings>[] = [
  flag('disabled', 'memory is not compacted by itself'),
  whole('period_secs', 1, longestPeriodSecs, 'seconds between two looks'),
  percent('period_psi_percent_limit', 'pressure between two looks that forbids a compaction'),
  percent('compact_psi_percent_limit', 'pressure during a compaction that ends it'),
  whole('compact_sec_max', 1, 86_400, 'seconds a compaction may take'),
  whole('compact_order', 1, 13, 'order of the blocks that are wanted'),
  whole(
    'compact_threshold',
    0,
    2 ** 40,
    'pages of fragments, or of fallen free memory, that make a compaction worth it',
  ),
  {
    key: 'compact_force_times',
    // For the JSON Schema, which sees either "never" as it is written: a little below the largest i64, which no double is.
    schema: z
      .custom<number>(
        (times) => times === Infinity || (typeof times === 'number' && Number.isSafeInteger(times) && times >= 0),
      )
      .meta({
        anyOf: [
          { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
          { type: 'number', minimum: 2 ** 63 - 1024 },
        ],
      }),
    allowed: `a whole number of periods, or ${neverTimes.u64} for never (${neverTimes.i64} as well)`,
    says: 'periods without a compaction after which one is forced',
  },
];

/** The defaults of the documents; `disabled` there is false: who mounts the tree only has not asked for more. */
export const defaultMemcgSettings: MemcgSettings = {
  disabled: true,
  swap: false,
  swappiness_max: 50,
  period_secs: 600,
  period_psi_percent_limit: 1,
  eviction_psi_percent_limit: 1,
  eviction_run_aging_count_min: 3,
};

/** compact_sec_max is 300 in mem-agent's code and 180 in its document; the code is followed. */
export const defaultCompactSettings: CompactSettings = {
  disabled: true,
  period_secs: 600,
  period_psi_percent_limit: 1,
  compact_psi_percent_limit: 5,
  compact_sec_max: 300,
  compact_order: 9,
  compact_threshold: 1024,
  compact_force_times: Infinity,
};

function flag<Key extends string>(key: Key, says: string) {
  return { key, schema: z.boolean(), allowed: 'true or false (or 1 or 0)', says } as const;
}

function whole<Key extends string>(key: Key, least: number, most: number, says: string) {
  return {
    key,
    schema: z.int().min(least).max(most),
    allowed: `a whole number from ${least} to ${most}`,
    says,
  } as const;
}

/** Hundredths count: pressure is measured in them. */
function percent<Key extends string>(key: Key, says: string) {
  return {
    key,
    schema: z
      .number()
      .min(0)
      .max(100)
      .refine((value) => Number(value.toFixed(2)) === value),
    allowed: 'percent from 0 to 100, with two decimals at most',
    says,
  } as const;
}
