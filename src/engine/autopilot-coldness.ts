import type { MemcgSettings } from './autopilot-settings.js';
import { agingIntervalMs, earlyAgings } from './coldness.js';
import type { ColdPages } from './reclaim-plan.js';
import { fewPages } from './run.js';

/**
 * Periods that lie between the first and the last of `eviction_run_aging_count_min` agings: a page that they all found unused has been idle for so long.
 * One aging alone proves nothing, so one period at least.
 */
export function coldPeriods({ eviction_run_aging_count_min }: MemcgSettings): number {
  return Math.max(1, eviction_run_aging_count_min - 1);
}

/** For how long a page must have been idle before it goes, in milliseconds. */
export function coldMs(settings: MemcgSettings): number {
  return coldPeriods(settings) * settings.period_secs * 1000 * (1 - earlyAgings);
}

/** Milliseconds between two agings of a memcg: a period, and longer where more than three agings are asked for, as there are four generations only. */
export function autopilotAgingMs(settings: MemcgSettings): number {
  return agingIntervalMs(settings.period_secs * 1000, coldPeriods(settings));
}

/**
 * What of the cold pages a run may take, by swap and swappiness_max. While a node has cold page cache, anonymous memory is at most its own share of both
 * or swappiness_max of 200, whichever is less; without any, all of it may go. (mem-agent: get_swappiness and only_swap_mode in memcg.rs.)
 */
export function withinSwappiness(cold: readonly ColdPages[], settings: MemcgSettings, hasSwap: boolean): ColdPages[] {
  const filePagesOn = (node: number): number =>
    cold.find((one) => one.node === node && one.type === 'file')?.pages ?? 0;
  return cold.flatMap((one) => {
    if (one.type === 'file') return [one];
    if (!settings.swap || !hasSwap) return [];
    const pages = Math.min(one.pages, mostAnonPages(filePagesOn(one.node), settings.swappiness_max));
    return pages > 0 ? [{ ...one, pages }] : [];
  });
}

function mostAnonPages(filePages: number, swappinessMax: number): number {
  return filePages < fewPages || swappinessMax >= 200
    ? Infinity
    : Math.floor((filePages * swappinessMax) / (200 - swappinessMax));
}
