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
  const field = pagesField(type);
  return {
    ...boundsOf(generations, atMs),
    generations: generations.map((generation, index) => {
      const toMs = endOf(generations, index, atMs);
      const young = index >= generations.length - 2;
      if (sinceMs > -Infinity || (type === 'file' && !young)) return cohortOf(generation[field], sinceMs, atMs);
      return cohortOf(generation[field], index === 0 ? -Infinity : atMs - generation.ageMs, toMs);
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
  const bounds = boundsOf(generations, atMs);
  if (isUnchanged(before, bounds, generations, field)) return { ...before, atMs };
  const counts = generations.map((generation) => generation[field]);
  const allBefore = pagesOfAll(before.generations);
  if (allBefore === 0 && counts.every((count) => count === 0))
    return { ...bounds, generations: counts.map(() => nothing) };
  const fresh = before.maxSeq - bounds.minSeq;
  const older = withDrainsMoved(foldedInto(before, bounds.minSeq, fresh), counts);
  const share = leavingShare(older, counts, allBefore);
  const lists = counts.map((count, index): readonly Cohort[] => {
    const toMs = endOf(generations, index, atMs);
    const had = older[index];
    if (had !== undefined) {
      const lost = Math.max(0, pagesOf(had) - count);
      return grownTo(
        count,
        withoutShortestIdleTo(count, withoutShare(had, Math.floor(lost * share))),
        before.atMs,
        atMs,
      );
    }
    const bornMs = atMs - (generations[index]?.ageMs ?? 0);
    if (index > fresh) return cohortOf(count, bornMs, toMs);
    const stayed = withoutShortestIdleTo(count, before.generations.at(-1) ?? nothing);
    if (bounds.maxSeq === before.maxSeq) return grownTo(count, stayed, before.atMs, atMs);
    // The aging that ended this generation saw what was used since the one that began it.
    const sinceMs = Math.max(bornMs, allBefore === 0 ? before.atMs : quietUntilMs);
    const stayedPages = pagesOf(stayed);
    return inOrder([
      ...cohortOf(stayedPages, earliestOf(stayed), toMs),
      ...cohortOf(count - stayedPages, sinceMs, toMs),
    ]);
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
    const had = generations[index] ?? nothing;
    const pages = pagesOf(had);
    const used = Math.min(left, pages);
    if (used === 0) continue;
    left -= used;
    generations[index] = grownTo(pages, withoutShortestIdleTo(pages - used, had), fromMs, toMs);
  }
  return { ...history, generations };
}

function pagesOfAll(generations: CohortHistory['generations']): number {
  return generations.reduce((sum, cohorts) => sum + pagesOf(cohorts), 0);
}

export function pagesOf(cohorts: readonly Cohort[]): number {
  return cohorts.reduce((sum, { pages }) => sum + pages, 0);
}

const nothing: readonly Cohort[] = [];

/** How far the birth of a generation may seem to move from look to look: ticks of the kernel's clock, and a busy machine between its line and the reading of it. */
export const birthToleranceMs = 2000;

/** When the generation after one was born, and no page of it was used any more; `atMs` for the youngest. */
function endOf(generations: readonly Generation[], index: number, atMs: number): number {
  return atMs - (generations[index + 1]?.ageMs ?? 0);
}

function boundsOf(generations: readonly Generation[], atMs: number) {
  const minSeq = Number(generations[0]?.seq ?? 0n);
  return { atMs, minSeq, maxSeq: minSeq + generations.length - 1, bornMs: atMs - (generations.at(-1)?.ageMs ?? 0) };
}

function isUnchanged(
  before: CohortHistory,
  bounds: { readonly minSeq: number; readonly maxSeq: number },
  generations: readonly Generation[],
  field: ReturnType<typeof pagesField>,
): boolean {
  if (before.minSeq !== bounds.minSeq || before.maxSeq !== bounds.maxSeq) return false;
  return generations.every((generation, index) => pagesOf(before.generations[index] ?? nothing) === generation[field]);
}

/** What the generations before the youngest held, by the generations of now: those that are gone were folded into the oldest. */
function foldedInto(
  { generations, minSeq: before }: CohortHistory,
  minSeq: number,
  fresh: number,
): (readonly Cohort[])[] {
  // So many agings passed that all that was seen is in the oldest generation now, the youngest of then as well.
  if (fresh <= 0) return [joined(generations, generations.length)];
  const folded = minSeq - before;
  const older = [joined(generations, folded + 1)];
  for (let index = 1; index < fresh; index++) older.push(generations[index + folded] ?? nothing);
  return older;
}

/** The cohorts of the first `count` generations. */
function joined(generations: CohortHistory['generations'], count: number): readonly Cohort[] {
  let all = nothing;
  for (let index = 0; index < count; index++) {
    const cohorts = generations[index] ?? nothing;
    if (cohorts.length > 0) all = all.length > 0 ? all.concat(cohorts) : cohorts;
  }
  return inOrder(all);
}

/** Each type has its own oldest generation: where one was emptied and the next took it in, its history goes along. */
function withDrainsMoved(older: (readonly Cohort[])[], counts: readonly number[]): (readonly Cohort[])[] {
  for (let index = 0; index + 1 < older.length; index++) {
    const here = older[index] ?? [];
    const next = older[index + 1] ?? [];
    const held = pagesOf(here);
    const grown = (counts[index + 1] ?? 0) - pagesOf(next);
    if (held === 0 || counts[index] !== 0 || grown < held * 0.9) continue;
    older[index] = nothing;
    older[index + 1] = inOrder([...here, ...next]);
  }
  return older;
}

/** The share of what older generations lost that left the memcg; the rest was used again. */
function leavingShare(older: readonly (readonly Cohort[])[], counts: readonly number[], allBefore: number): number {
  let leaving = allBefore;
  for (const count of counts) leaving -= count;
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

/** Takes pages away from those that were idle the shortest, until there are no more than `count`. */
function withoutShortestIdleTo(count: number, cohorts: readonly Cohort[]): readonly Cohort[] {
  let left = pagesOf(cohorts) - count;
  if (left <= 0) return cohorts;
  let length = cohorts.length;
  for (; length > 0; length--) {
    const pages = cohorts[length - 1]?.pages ?? 0;
    if (pages > left) break;
    left -= pages;
  }
  const stayed = cohorts.slice(0, length);
  const youngest = stayed[length - 1];
  if (youngest && left > 0) stayed[length - 1] = { ...youngest, pages: youngest.pages - left };
  return stayed;
}

/** What stayed, and with it, up to `count` pages, what came there between two times. */
function grownTo(count: number, stayed: readonly Cohort[], fromMs: number, toMs: number): readonly Cohort[] {
  const grown = count - pagesOf(stayed);
  return capped(grown > 0 ? [...stayed, ...cohortOf(grown, fromMs, toMs)] : stayed);
}

function cohortOf(pages: number, fromMs: number, toMs: number): readonly Cohort[] {
  return pages > 0 ? [{ pages, fromMs: Math.min(fromMs, toMs), toMs }] : nothing;
}

function earliestOf(cohorts: readonly Cohort[]): number {
  let earliestMs = Infinity;
  for (const { fromMs } of cohorts) earliestMs = Math.min(earliestMs, fromMs);
  return earliestMs;
}

/** At most `cohortsKept` of them, the longest idle first: neighbours are merged whose times differ least for their age. */
function capped(cohorts: readonly Cohort[]): readonly Cohort[] {
  const ordered = inOrder(cohorts);
  if (ordered.length <= cohortsKept) return ordered;
  const kept = [...ordered];
  while (kept.length > cohortsKept) {
    const first = mostAlike(kept);
    const [older, younger] = kept.slice(first, first + 2);
    if (!older || !younger) break;
    kept.splice(first, 2, {
      pages: older.pages + younger.pages,
      fromMs: Math.min(older.fromMs, younger.fromMs),
      toMs: younger.toMs,
    });
  }
  return kept;
}

/** The first of the two neighbours whose times differ least for their age. */
function mostAlike(cohorts: readonly Cohort[]): number {
  const nowMs = cohorts.at(-1)?.toMs ?? 0;
  let best = 0;
  let leastSpread = Infinity;
  let older = cohorts[0];
  for (let index = 1; index < cohorts.length; index++) {
    const younger = cohorts[index];
    if (!older || !younger) break;
    const spreadMs = younger.toMs - (Number.isFinite(older.fromMs) ? older.fromMs : older.toMs);
    const spread = spreadMs / (1 + nowMs - older.toMs);
    if (spread < leastSpread) [best, leastSpread] = [index - 1, spread];
    older = younger;
  }
  return best;
}

/** The same, the longest idle first; nearly always they are. */
function inOrder(cohorts: readonly Cohort[]): readonly Cohort[] {
  if (cohorts.length < 2) return cohorts;
  let [older] = cohorts;
  for (let index = 1; index < cohorts.length; index++) {
    const younger = cohorts[index];
    if (older && younger && longestIdleFirst(older, younger) >= 0) return cohorts.toSorted(longestIdleFirst);
    older = younger;
  }
  return cohorts;
}

function longestIdleFirst(one: Cohort, other: Cohort): number {
  return one.toMs - other.toMs || (one.fromMs < other.fromMs ? -1 : 1);
}
