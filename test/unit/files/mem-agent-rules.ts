import fc from 'fast-check';

/** What one of the 15 keys takes, written down apart from the tables that the product goes by. */
export interface Rule {
  readonly half: 'memcg' | 'compact';
  readonly key: string;
  /** Texts that are taken, many of them at either end, and what is read back then. */
  readonly inside: fc.Arbitrary<{ readonly text: string; readonly says: string }>;
  /** Texts that are refused: just beyond either end, far beyond, malformed. */
  readonly outside: fc.Arbitrary<string>;
  /** What a refusal says is allowed. */
  readonly allowed: string;
}

type Range = Pick<Rule, 'inside' | 'outside' | 'allowed'>;

const year = 31_536_000;
const day = 86_400;
/** Both are "never"; the first is read back. */
const neverTimes = ['18446744073709551615', '9223372036854775807'] as const;

/** What is no number in any place. Names of numbers, other notations, units. */
const noNumbers = [
  '',
  'x',
  '7x',
  '10s',
  '1,5',
  '0x10',
  '--1',
  '+1',
  '1e2',
  '.5',
  '5.',
  'NaN',
  'Infinity',
  'true',
  'max',
];

export const rules: readonly Rule[] = [
  { half: 'memcg', key: 'disabled', ...flag() },
  { half: 'memcg', key: 'swap', ...flag() },
  { half: 'memcg', key: 'swappiness_max', ...whole(0, 200) },
  { half: 'memcg', key: 'period_secs', ...whole(1, year) },
  { half: 'memcg', key: 'period_psi_percent_limit', ...percent() },
  { half: 'memcg', key: 'eviction_psi_percent_limit', ...percent() },
  { half: 'memcg', key: 'eviction_run_aging_count_min', ...whole(1, 255) },
  { half: 'compact', key: 'disabled', ...flag() },
  { half: 'compact', key: 'period_secs', ...whole(1, year) },
  { half: 'compact', key: 'period_psi_percent_limit', ...percent() },
  { half: 'compact', key: 'compact_psi_percent_limit', ...percent() },
  { half: 'compact', key: 'compact_sec_max', ...whole(1, day) },
  { half: 'compact', key: 'compact_order', ...whole(1, 13) },
  { half: 'compact', key: 'compact_threshold', ...whole(0, 2 ** 40) },
  { half: 'compact', key: 'compact_force_times', ...times() },
];

function flag(): Range {
  const spellings = { true: 'true', false: 'false', 1: 'true', 0: 'false' };
  return {
    inside: fc.constantFrom(...Object.entries(spellings).map(([text, says]) => ({ text, says }))),
    outside: fc.constantFrom('', '2', '-1', '10', '0.5', 'yes', 'no', 'on', 'TRUE', 'False', 't', 'null'),
    allowed: 'true or false',
  };
}

function whole(least: number, most: number): Range {
  const inside = nearBothEnds(least, most);
  return {
    inside: inside.map(asSaid),
    outside: fc.oneof(
      beyond(least, most).map(String),
      inside.map((value) => `${value}.5`),
      fc.constantFrom(...noNumbers),
    ),
    allowed: `a whole number from ${least} to ${most}`,
  };
}

/** Hundredths of a percent count; what is finer is refused. */
function percent(): Range {
  const hundredths = nearBothEnds(0, 10_000);
  const thousandths = nearBothEnds(0, 100_000).filter((value) => value % 10 !== 0);
  return {
    inside: fc.oneof(
      hundredths.map((value) => asSaid(value / 100)),
      hundredths.map((value) => ({ text: (value / 100).toFixed(2), says: String(value / 100) })),
    ),
    outside: fc.oneof(
      beyond(0, 10_000).map((value) => String(value / 100)),
      thousandths.map((value) => (value / 1000).toFixed(3)),
      fc.constantFrom('0.001', '99.999', '100.001', ...noNumbers),
    ),
    allowed: 'percent from 0 to 100, with two decimals at most',
  };
}

/** As far as numbers are exact. Between there and "never" nothing is. */
function times(): Range {
  const most = Number.MAX_SAFE_INTEGER;
  return {
    inside: fc.oneof(
      nearBothEnds(0, most).map(asSaid),
      fc.constantFrom(...neverTimes).map((text) => ({ text, says: neverTimes[0] })),
    ),
    outside: fc.oneof(
      fc.integer({ min: -4, max: -1 }).map(String),
      fc.bigInt({ min: 2n ** 42n, max: 2n ** 52n - 1n }).map((value) => String(value * 2048n)),
      fc.constantFrom('0.5', '9007199254740992', '9223372036854774784', 'never', ...noNumbers),
    ),
    allowed: `a whole number of periods, or ${neverTimes[0]} for never (${neverTimes[1]} as well)`,
  };
}

function nearBothEnds(least: number, most: number): fc.Arbitrary<number> {
  return fc.oneof(
    fc.integer({ min: least, max: Math.min(most, least + 3) }),
    fc.integer({ min: Math.max(least, most - 3), max: most }),
    fc.integer({ min: least, max: most }),
  );
}

function beyond(least: number, most: number): fc.Arbitrary<number> {
  return fc.oneof(
    fc.integer({ min: least - 4, max: least - 1 }),
    fc.integer({ min: most + 1, max: most + 4 }),
    fc.integer({ min: most + 1, max: most * 1000 }),
  );
}

function asSaid(value: number): { readonly text: string; readonly says: string } {
  return { text: String(value), says: String(value) };
}
