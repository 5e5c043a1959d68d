import type { Generation } from '../kernel/lru-gen.js';
import type { PageType } from './eviction.js';
import { pagesField } from './reclaim-plan.js';

/** Pages of one generation whose last use lies between two times, in milliseconds of the engine's clock. */
export interface Cohort {
  readonly pages: number;
  /** -Infinity where nothing is known. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** What is known of the pages of one type, of one memcg on one node, at a look. */
export interface CohortHistory {
  /** When the look was. */
  readonly atMs: number;
  readonly minSeq: number;
  readonly maxSeq: number;
  /** When the youngest generation was made. */
  readonly bornMs: number;
  /** By generation from `minSeq` to `maxSeq`; in each the longest idle first. Their sums are the counts of the listing. */
  readonly generations: readonly (readonly Cohort[])[];
}

/** Cohorts kept of one generation. Ages up to 255 periods then differ by at most a fifth from those of their cohort. */
export const cohortsKept = 32;

/**
 * The history at a first look. A generation border proves the age of anonymous pages, not of page cache: the kernel puts page cache that it
 * just read among the oldest, so its age starts now. Nothing is older than `sinceMs`: the memcg was seen empty then.
 */
export function beginHistory(
  generations: readonly Generation[],
  type: PageType,
  atMs: number,
  sinceMs = -Infinity,
): CohortHistory {
  const born = bornOf(generations, atMs);
  const field = pagesField(type);
  return {
    ...boundsOf(generations, atMs, born),
    generations: generations.map((generation, index) => {
      const toMs = born[index + 1] ?? atMs;
      const young = index >= generations.length - 2;
      if (sinceMs > -Infinity || (type === 'file' && !young)) return cohortOf(generation[field], sinceMs, atMs);
      return cohortOf(generation[field], index === 0 ? -Infinity : (born[index] ?? atMs), toMs);
    }),
  };
}

/**
 * The history after another look at the same memcg. `quietUntilMs`: nothing was used between the birth of the youngest generation of the look before
 * and then. Call it only where {@link continues} holds.
 *
 * - What was folded into another generation keeps its history there.
 * - Generations from the youngest of the look before on hold what was used between their birth and the next one's.
 * - More pages in an older generation came there since the look before: page cache just read, or pages that the kernel spared because they are in use.
 *   Where more than that left the same generation meanwhile, they are taken for pages that were there.
 * - Fewer: as many as left the memcg were freed or evicted, without regard to age; the rest was used again, and joined the youngest. Those that were
 *   idle the shortest are used again first.
 */
export function continueHistory(
  before: CohortHistory,
  generations: readonly Generation[],
  type: PageType,
  atMs: number,
  quietUntilMs = -Infinity,
): CohortHistory {
  const field = pagesField(type);
  const born = bornOf(generations, atMs);
  const bounds = boundsOf(generations, atMs, born);
  const counts = generations.map((generation) => generation[field]);
  if (isUnchanged(before, bounds, counts)) return { ...before, atMs: bounds.atMs };
  const allBefore = before.generations.reduce((sum, cohorts) => sum + pagesOf(cohorts), 0);
  if (allBefore === 0 && counts.every((count) => count === 0))
    return { ...bounds, generations: counts.map(() => nothing) };
  const fresh = before.maxSeq - bounds.minSeq;
  const older = withDrainsMoved(foldedInto(before, bounds.minSeq, fresh), counts);
  const share = leavingShare(older, counts, allBefore);
  const lists = counts.map((count, index): readonly Cohort[] => {
    const toMs = born[index + 1] ?? atMs;
    const had = older[index];
    if (had !== undefined) {
      const left = Math.floor(Math.max(0, pagesOf(had) - count) * share);
      const alike = withoutShare(had, left);
      const stayed = withoutShortestIdle(alike, pagesOf(alike) - count);
      return capped([...stayed, ...cohortOf(count - pagesOf(stayed), before.atMs, atMs)]);
    }
    if (index > fresh) return cohortOf(count, born[index] ?? atMs, toMs);
    const young = before.generations.at(-1) ?? [];
    const stayed = withoutShortestIdle(young, pagesOf(young) - count);
    const grown = count - pagesOf(stayed);
    if (bounds.maxSeq === before.maxSeq) return capped([...stayed, ...cohortOf(grown, before.atMs, atMs)]);
    // The aging that ended this generation saw what was used since the one that began it.
    const sinceMs = Math.max(born[index] ?? atMs, allBefore === 0 ? before.atMs : quietUntilMs);
    return [
      ...cohortOf(pagesOf(stayed), Math.min(...stayed.map(({ fromMs }) => fromMs)), toMs),
      ...cohortOf(grown, sinceMs, toMs),
    ].sort(longestIdleFirst);
  });
  return { ...bounds, generations: lists };
}

/** Whether a listing can be of the same memcg as the history, whole: its generations went on from there. */
export function continues(before: CohortHistory, generations: readonly Generation[], atMs: number): boolean {
  const youngest = generations.at(-1);
  if (generations.length < 2 || youngest === undefined || Number(youngest.seq) < before.maxSeq) return false;
  const shared = generations.find(({ seq }) => Number(seq) === before.maxSeq);
  return shared === undefined || Math.abs(atMs - shared.ageMs - before.bornMs) < birthToleranceMs;
}

/** Makes `pages` of a history's older generations used between two times: those that were idle the shortest. Sums stay as they are. */
export function withUsed(history: CohortHistory, pages: number, fromMs: number, toMs: number): CohortHistory {
  let left = pages;
  const generations = [...history.generations];
  for (let index = generations.length - 3; index >= 0 && left > 0; index--) {
    const had = generations[index] ?? [];
    const stayed = withoutShortestIdle(had, left);
    const used = pagesOf(had) - pagesOf(stayed);
    if (used === 0) continue;
    left -= used;
    generations[index] = capped([...stayed, ...cohortOf(used, fromMs, toMs)]);
  }
  return { ...history, generations };
}

export function pagesOf(cohorts: readonly Cohort[]): number {
  let sum = 0;
  for (const { pages } of cohorts) sum += pages;
  return sum;
}

const nothing: readonly Cohort[] = [];

/** How far the birth of a generation may seem to move from look to look: ticks of the kernel's clock, and a busy machine between its line and the reading of it. */
export const birthToleranceMs = 2000;

function bornOf(generations: readonly Generation[], atMs: number): number[] {
  return generations.map(({ ageMs }) => atMs - ageMs);
}

function boundsOf(generations: readonly Generation[], atMs: number, born: readonly number[]) {
  const minSeq = Number(generations[0]?.seq ?? 0n);
  return { atMs, minSeq, maxSeq: minSeq + generations.length - 1, bornMs: born.at(-1) ?? atMs };
}

function isUnchanged(
  before: CohortHistory,
  bounds: { readonly minSeq: number; readonly maxSeq: number },
  counts: readonly number[],
): boolean {
  if (before.minSeq !== bounds.minSeq || before.maxSeq !== bounds.maxSeq) return false;
  return counts.every((count, index) => pagesOf(before.generations[index] ?? []) === count);
}

/** What the generations before the youngest held, by the generations of now: those that are gone were folded into the oldest. */
function foldedInto(before: CohortHistory, minSeq: number, fresh: number): (readonly Cohort[])[] {
  const older: Cohort[][] = Array.from({ length: Math.max(0, fresh) }, () => []);
  if (fresh <= 0) {
    // So many agings passed that all that was seen is in the oldest generation now, the youngest of then as well.
    return [before.generations.flat().sort(longestIdleFirst)];
  }
  before.generations.slice(0, -1).forEach((cohorts, index) => {
    older[Math.max(0, before.minSeq + index - minSeq)]?.push(...cohorts);
  });
  return older.map((cohorts) => cohorts.sort(longestIdleFirst));
}

/** Each type has its own oldest generation: where one was emptied and the next took it in, its history goes along. */
function withDrainsMoved(older: (readonly Cohort[])[], counts: readonly number[]): (readonly Cohort[])[] {
  for (let index = 0; index + 1 < older.length; index++) {
    const here = older[index] ?? [];
    const next = older[index + 1] ?? [];
    const held = pagesOf(here);
    const grown = (counts[index + 1] ?? 0) - pagesOf(next);
    if (held === 0 || counts[index] !== 0 || grown < held * 0.9) continue;
    older[index] = [];
    older[index + 1] = [...here, ...next].sort(longestIdleFirst);
  }
  return older;
}

/** The share of what older generations lost that left the memcg; the rest was used again. */
function leavingShare(older: readonly (readonly Cohort[])[], counts: readonly number[], allBefore: number): number {
  const leaving = allBefore - counts.reduce((sum, count) => sum + count, 0);
  if (leaving <= 0) return 0;
  const lost = older.reduce((sum, cohorts, index) => sum + Math.max(0, pagesOf(cohorts) - (counts[index] ?? 0)), 0);
  return Math.min(1, leaving / lost);
}

/** Takes pages away from all cohorts alike. */
function withoutShare(cohorts: readonly Cohort[], pages: number): readonly Cohort[] {
  const total = pagesOf(cohorts);
  if (pages <= 0) return cohorts;
  if (pages >= total) return [];
  let seen = 0;
  let taken = 0;
  return cohorts.flatMap((cohort) => {
    seen += cohort.pages;
    // Rounded on the running sum, so that exactly `pages` go.
    const takes = Math.min(cohort.pages, Math.round((pages * seen) / total) - taken);
    taken += takes;
    return cohortOf(cohort.pages - takes, cohort.fromMs, cohort.toMs);
  });
}

/** Takes pages away from those that were idle the shortest. */
function withoutShortestIdle(cohorts: readonly Cohort[], pages: number): readonly Cohort[] {
  if (pages <= 0) return cohorts;
  const stayed = [...cohorts];
  for (let left = pages; left > 0;) {
    const youngest = stayed.pop();
    if (youngest === undefined) return [];
    if (youngest.pages > left) stayed.push({ ...youngest, pages: youngest.pages - left });
    left -= youngest.pages;
  }
  return stayed;
}

function cohortOf(pages: number, fromMs: number, toMs: number): Cohort[] {
  return pages > 0 ? [{ pages, fromMs: Math.min(fromMs, toMs), toMs }] : [];
}

/** At most `cohortsKept` of them, the longest idle first: neighbours are merged whose times differ least for their age. */
function capped(cohorts: readonly Cohort[]): readonly Cohort[] {
  const kept = [...cohorts].sort(longestIdleFirst);
  while (kept.length > cohortsKept) {
    const nowMs = kept.at(-1)?.toMs ?? 0;
    let best = 0;
    let leastSpread = Infinity;
    for (let index = 0; index + 1 < kept.length; index++) {
      const [older, younger] = [kept[index], kept[index + 1]];
      if (!older || !younger) continue;
      const spreadMs = younger.toMs - (Number.isFinite(older.fromMs) ? older.fromMs : older.toMs);
      const spread = spreadMs / (1 + nowMs - older.toMs);
      if (spread < leastSpread) [best, leastSpread] = [index, spread];
    }
    const [older, younger] = kept.slice(best, best + 2);
    if (!older || !younger) break;
    kept.splice(best, 2, {
      pages: older.pages + younger.pages,
      fromMs: Math.min(older.fromMs, younger.fromMs),
      toMs: younger.toMs,
    });
  }
  return kept;
}

function longestIdleFirst(one: Cohort, other: Cohort): number {
  return one.toMs - other.toMs || (one.fromMs < other.fromMs ? -1 : 1);
}
