import type { SimulatedMemcg } from './memcg.js';
import type { PageSet } from './page-set.js';

/**
 * One aging: what page tables show as used since the last one joins the youngest generation, then a new youngest is made. A fifth
 * generation folds the oldest into the next, where the order between the two is lost.
 */
export function age(memcg: SimulatedMemcg, node: number, nowMs: number): void {
  const generations = memcg.on(node);
  const sets = [...memcg.sets].filter((set) => set.nature.node === node);
  for (const set of sets) if (isSeenInUse(set, generations.agedMs, nowMs)) promote(set, generations.maxSeq);
  for (const { type, seq } of generations.add(nowMs))
    for (const set of sets) if (set.nature.type === type) fold(set, seq);
}

/** The kernel sees a use where a page table maps the page: never one through read(2). */
export function isSeenInUse(set: PageSet, sinceMs: number, nowMs: number): boolean {
  return set.nature.access === 'mapped' && set.lastTouchMs(nowMs) > sinceMs;
}

function promote(set: PageSet, seq: bigint): void {
  const seenFrom = Math.floor(set.nature.missedByWalk * set.nature.pages);
  for (const { first, pages, place } of set.runs) {
    const start = Math.max(first, seenFrom);
    if (place.kind === 'memory' && start < first + pages) set.move(start, first + pages - start, { ...place, seq });
  }
}

function fold(set: PageSet, folded: bigint): void {
  for (const { first, pages, place } of set.runs)
    if (place.kind === 'memory' && place.seq === folded) set.move(first, pages, { ...place, seq: folded + 1n });
}
