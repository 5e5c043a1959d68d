import { damonUnlimited, type DamonFilter, type DamonStat, type DamonStatScheme } from '../kernel/damon.js';
import type { Memcg } from '../kernel/kernel.js';
import type { PageType } from './eviction.js';
import type { IdleCohort } from './tracker.js';

/** Where bands of idle time begin, in scan periods. */
export const bandStarts = [1, 2, 5, 15, 30, 60, 120, 240] as const;

/** A scan period in aggregation intervals: DAMON tells ages no finer. */
export const intervalsPerPeriod = 5;

const types: readonly PageType[] = ['anon', 'file'];

/** Counts all regions each time schemes are applied: what it has counted tells how often that was. */
const everything: DamonStatScheme = {
  accesses: [0, damonUnlimited],
  ageIntervals: [0, damonUnlimited],
  filters: [],
};

/** Schemes of one memcg. */
export const schemesPerMemcg = bandStarts.length * types.length;

/** One scheme that counts everything, then for each memcg those of its anon and file bands. DAMON's anon has no shared memory in it: that counts as file. */
export function bandSchemes(memcgs: readonly Memcg[]): DamonStatScheme[] {
  return [everything, ...memcgs.flatMap(({ path }) => types.flatMap((type) => bandsOf(path, type)))];
}

function bandsOf(path: string, type: PageType): DamonStatScheme[] {
  const filters: DamonFilter[] = [
    { type: 'memcg', path, leavesOut: 'others' },
    { type: 'anon', leavesOut: type === 'anon' ? 'others' : 'anon' },
  ];
  return bandStarts.map((start, band) => {
    const end = bandStarts[band + 1];
    const least = start * intervalsPerPeriod;
    const most = end === undefined ? damonUnlimited : end * intervalsPerPeriod - 1;
    return { accesses: [0, 0], ageIntervals: [least, most], filters };
  });
}

/** Pages of a memcg as the kernel's listing has them. */
export interface ListedPages {
  readonly anon: number;
  readonly file: number;
}

/**
 * Cohorts of the memcg that is `index`-th in the schemes, from what was counted between two readings. What no band has was in use. Sums are
 * those of the listing: DAMON looks at samples, and at other moments. undefined where schemes were not applied in between.
 */
export function bandCohorts(
  before: readonly DamonStat[],
  now: readonly DamonStat[],
  index: number,
  listed: ListedPages,
  machine: { readonly regionBytes: number; readonly pageBytes: number; readonly periodMs: number },
): IdleCohort[] | undefined {
  const applied = grownBy(before, now, 0, 'triedBytes') / machine.regionBytes;
  if (applied < 0.5) return undefined;
  return types.flatMap((type, typeIndex) => {
    const first = 1 + index * schemesPerMemcg + typeIndex * bandStarts.length;
    const counted = bandStarts.map(
      (_, band) => grownBy(before, now, first + band, 'passedBytes') / applied / machine.pageBytes,
    );
    const sum = counted.reduce((pages, more) => pages + more, 0);
    const scale = sum > listed[type] ? listed[type] / sum : 1;
    const idle = counted.map((pages) => Math.floor(pages * scale));
    const cohorts: IdleCohort[] = idle.map((pages, band) => ({
      type,
      pages,
      idleAtLeastMs: (bandStarts[band] ?? 0) * machine.periodMs,
      idleAtMostMs: (bandStarts[band + 1] ?? Infinity) * machine.periodMs,
    }));
    const usedPages = idle.reduce((pages, less) => pages - less, listed[type]);
    const inUse = { type, pages: usedPages, idleAtLeastMs: 0, idleAtMostMs: machine.periodMs };
    return [inUse, ...cohorts].filter(({ pages }) => pages > 0);
  });
}

function grownBy(
  before: readonly DamonStat[],
  now: readonly DamonStat[],
  scheme: number,
  count: keyof DamonStat,
): number {
  return Math.max(0, (now[scheme]?.[count] ?? 0) - (before[scheme]?.[count] ?? 0));
}
