import { fewPages } from './run.js';

/** What is known just before a command that is to evict anon. */
export interface AnonList {
  /** Anonymous pages in the generations named. */
  readonly listedPages: number;
  /** Those of them that swap has a copy of already: they leave without a write. */
  readonly cleanPages: number;
  /** Page cache in the same generations. */
  readonly filePages: number;
  /** Page cache that may still go along: a batch of the kernel's, or what is left of it. */
  readonly alongLeftPages: number;
  /** Whether pages are in swap as soon as the kernel sends them (zswap, zram), so that it counts them at once. */
  readonly writesAtOnce: boolean;
}

/**
 * How many anonymous pages a kernel before 6.16 may be asked for. It sends pages to swap without waiting, counts them only when they are written, and
 * turns to page cache as soon as its list is empty, until it has counted what it was asked for. However slow swap is, it can then
 * take no more page cache than it was asked for beyond what is clean already: that much is what may go along.
 */
export function safeAnonPages(list: AnonList): number {
  const { listedPages, cleanPages, filePages, alongLeftPages, writesAtOnce } = list;
  if (listedPages < fewPages) return 0;
  if (filePages <= alongLeftPages) return listedPages;
  if (writesAtOnce) return Math.max(fewPages, Math.floor(listedPages / 2));
  const beyond = alongLeftPages < fewPages ? 0 : alongLeftPages;
  return Math.min(listedPages, cleanPages + beyond);
}
