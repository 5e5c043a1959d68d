import type { Generation, LruGenMemcg } from '../kernel/lru-gen.js';
import { newestProvenSeq, pagesUpTo } from './coldness.js';
import { type ColdPages, generationsOf, pagesField } from './reclaim-plan.js';
import { fewPages } from './run.js';

/** Cold pages that a run works on, generation by generation. */
export interface Vein {
  readonly cold: ColdPages;
  /** Proven pages not yet freed. */
  leftPages: number;
  /** The generation being evicted: the oldest that has pages of the type. */
  seq: bigint;
  /** Pages in the generations after `seq` before its eviction: more of them afterwards are pages the kernel spared. */
  youngerPages: number;
  /** Page cache that may still be taken instead of anon, where the kernel cannot evict anon alone: a batch for each time that its list ran empty. */
  alongLeftPages: number;
  careful: boolean;
  /** Anonymous memory up to this generation goes to a swap device, past zswap; -1 where the kernel puts all of it. */
  readonly deviceSeq: bigint;
  /** The newest generation that holds only what is proven, or was proven and put there by the kernel since. */
  provenSeq: bigint;
  /** The generations of the node when the vein was opened, or at the last aging of the run since. */
  opened: readonly Generation[];
}

/** A vein at its oldest generation. */
export function openVein(cold: ColdPages, listed: LruGenMemcg, deviceIdleMs = Infinity): Vein {
  const opened = generationsOf(listed, cold.node);
  const vein: Vein = {
    cold,
    leftPages: cold.pages,
    seq: -1n,
    youngerPages: 0,
    alongLeftPages: fewPages,
    careful: false,
    deviceSeq: cold.type === 'anon' ? (newestProvenSeq(opened, deviceIdleMs) ?? -1n) : -1n,
    provenSeq: cold.newestSeq,
    opened,
  };
  openOldest(vein, listed);
  return vein;
}

/**
 * Has a vein of anon follow what was sent to swap since the generations were as in `before`: where the kernel put it among the younger ones, it is
 * proven all the same.
 */
export function followSent(vein: Vein, before: LruGenMemcg, listed: LruGenMemcg): void {
  if (vein.cold.type !== 'anon') return;
  vein.opened = generationsOf(before, vein.cold.node);
  vein.leftPages += Math.max(0, returnedPages(vein, listed));
}

/** Whether anonymous memory of a generation is to go to a swap device, past zswap. */
export function goesToDevice({ cold, deviceSeq }: Vein, seq: bigint): boolean {
  return deviceSeq >= cold.newestSeq || seq <= deviceSeq;
}

/** Turns a vein to its oldest generation that has pages of its type, at the newest to the newest proven. Answers the pages there. */
export function openOldest(vein: Vein, listed: LruGenMemcg): number {
  const field = pagesField(vein.cold.type);
  const proven = generationsOf(listed, vein.cold.node).filter(
    (one) => one.seq > vein.seq && one.seq <= vein.cold.newestSeq,
  );
  const oldest = proven.find((one) => one[field] >= fewPages) ?? proven.at(-1);
  vein.seq = oldest?.seq ?? vein.cold.newestSeq;
  vein.alongLeftPages = fewPages;
  vein.youngerPages = youngerPages(vein, listed);
  return oldest?.[field] ?? 0;
}

/**
 * Whether page cache stands between a vein of anon and the kernel: before 6.16 the kernel looks for anon in its oldest generation only, which is
 * kept while any page cache is in it, and takes that page cache where it finds no anon. An aging folds that generation into the next.
 */
export function isBehindPageCache({ cold, seq }: Vein, listed: LruGenMemcg): boolean {
  const [oldest] = generationsOf(listed, cold.node);
  if (cold.type !== 'anon' || !oldest || oldest.seq >= seq) return false;
  return oldest.anonPages < fewPages && oldest.filePages > 0;
}

/** Pages of the vein's type in proven generations after its present one. */
export function youngerPages(vein: Vein, listed: LruGenMemcg): number {
  const generations = generationsOf(listed, vein.cold.node);
  const field = pagesField(vein.cold.type);
  return pagesUpTo(generations, vein.cold.newestSeq, field) - pagesUpTo(generations, vein.seq, field);
}

/** Pages of the vein's type that came among the generations after the newest proven since those of `opened` were listed. */
export function returnedPages(vein: Vein, listed: LruGenMemcg): number {
  return unprovenPages(vein, generationsOf(listed, vein.cold.node)) - unprovenPages(vein, vein.opened);
}

/**
 * Turns a vein to proven pages that the kernel has put among the younger ones instead of freeing them, where they can be told apart: up to
 * the youngest generation that can be evicted now there was nothing unproven when the vein was opened, or there is no more now than the
 * `writtenPages` that have come to be swap cache since. Answers whether they can. They cannot after any other aging than the run's own: the
 * kernel's put there what was used meanwhile.
 */
export function openReturned(vein: Vein, listed: LruGenMemcg, writtenPages: number): boolean {
  const generations = generationsOf(listed, vein.cold.node);
  const newest = generations.at(-3);
  const agings = youngestSeq(generations) - youngestSeq(vein.opened);
  if (!newest || agings !== 1n) return false;
  const heldPages = pagesUpTo(generations, newest.seq, pagesField(vein.cold.type));
  const unprovenBefore = unprovenPages(vein, vein.opened, newest.seq);
  if (heldPages < fewPages || (unprovenBefore >= fewPages && heldPages > writtenPages + fewPages)) return false;
  vein.seq = vein.provenSeq = newest.seq;
  vein.opened = generations;
  vein.alongLeftPages = fewPages;
  return true;
}

/** Pages of the vein's type in generations after the newest proven, up to `seq` or all. */
function unprovenPages(vein: Vein, generations: readonly Generation[], seq = youngestSeq(generations)): number {
  const field = pagesField(vein.cold.type);
  return pagesUpTo(generations, seq, field) - pagesUpTo(generations, vein.provenSeq, field);
}

function youngestSeq(generations: readonly Generation[]): bigint {
  return generations.at(-1)?.seq ?? -1n;
}
