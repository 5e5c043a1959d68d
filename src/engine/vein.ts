import type { LruGenMemcg } from '../kernel/lru-gen.js';
import { pagesUpTo } from './coldness.js';
import { type ColdPages, generationsOf, pagesField } from './reclaim-plan.js';

/** Cold pages that a run works on, generation by generation. */
export interface Vein {
  readonly cold: ColdPages;
  /** Proven pages not yet freed. */
  leftPages: number;
  /** The generation being evicted: the oldest that has pages of the type. */
  seq: bigint;
  /** Pages in the generations after `seq` before its eviction: more of them afterwards are pages the kernel spared. */
  youngerPages: number;
  /** The most pages seen on their way to swap after a command; undefined before the first. */
  inFlightPages: number | undefined;
  careful: boolean;
  /** Pages of the type in generations after the newest proven, when the vein was opened. */
  readonly unprovenPages: number;
}

/** A generation with fewer pages is not worth another wait: less than a batch of the kernel's. */
export const fewPages = 64;

/** A vein at its oldest generation. */
export function openVein(cold: ColdPages, listed: LruGenMemcg): Vein {
  const vein: Vein = {
    cold,
    leftPages: cold.pages,
    seq: -1n,
    youngerPages: 0,
    inFlightPages: undefined,
    careful: false,
    unprovenPages: unprovenPages(cold, listed),
  };
  openOldest(vein, listed);
  return vein;
}

/** Turns a vein to its oldest generation that has pages of its type, at the newest to the newest proven. Answers the pages there. */
export function openOldest(vein: Vein, listed: LruGenMemcg): number {
  const field = pagesField(vein.cold.type);
  const proven = generationsOf(listed, vein.cold.node).filter(
    (one) => one.seq > vein.seq && one.seq <= vein.cold.newestSeq,
  );
  const oldest = proven.find((one) => one[field] >= fewPages) ?? proven.at(-1);
  vein.seq = oldest?.seq ?? vein.cold.newestSeq;
  vein.youngerPages = youngerPages(vein, listed);
  return oldest?.[field] ?? 0;
}

/** Pages of the vein's type in proven generations after its present one. */
export function youngerPages(vein: Vein, listed: LruGenMemcg): number {
  const generations = generationsOf(listed, vein.cold.node);
  const field = pagesField(vein.cold.type);
  return pagesUpTo(generations, vein.cold.newestSeq, field) - pagesUpTo(generations, vein.seq, field);
}

/**
 * Turns a vein to proven pages that the kernel has put among the younger ones instead of freeing them, where they can be told apart: the
 * youngest generation that can be evicted now must hold no more than came there since the vein was opened. Answers whether they can.
 */
export function openReturned(vein: Vein, listed: LruGenMemcg): boolean {
  const evictable = generationsOf(listed, vein.cold.node).slice(0, -2);
  const returnedPages = unprovenPages(vein.cold, listed) - vein.unprovenPages;
  const newest = evictable.at(-1);
  const heldPages = newest ? pagesUpTo(evictable, newest.seq, pagesField(vein.cold.type)) : 0;
  if (!newest || heldPages < fewPages || heldPages > returnedPages + fewPages) return false;
  vein.seq = newest.seq;
  return true;
}

/** Pages of the vein's type that are in generations after the newest proven. */
export function unprovenPages(cold: ColdPages, listed: LruGenMemcg): number {
  const generations = generationsOf(listed, cold.node);
  const field = pagesField(cold.type);
  return generations.reduce((sum, one) => (one.seq > cold.newestSeq ? sum + one[field] : sum), 0);
}
