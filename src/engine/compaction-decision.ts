import type { FreeMemory } from '../kernel/compaction.js';
import type { CompactSettings } from './autopilot-settings.js';

/** The order of huge pages of 2 MiB: what compaction on request is for. */
export const hugeOrder = 9;

/** Why memory was compacted in a period, or why not. docs/files.md explains each to users. */
export const compactionReasons = [
  'fragmented',
  'free_memory_fell',
  'forced',
  'period_psi_exceeds_limit',
  'not_fragmented',
  'psi_unreadable',
  'still_running',
  'error',
] as const;

export type CompactionReason = (typeof compactionReasons)[number];

/** What is known at the end of a period. */
export interface CompactionOutlook {
  /** Over the period, in percent. */
  readonly pressurePercent: number;
  readonly now: FreeMemory;
  /** As the last compaction left it; undefined before the first. */
  readonly before: FreeMemory | undefined;
  /** Periods since then that passed without one. */
  readonly periodsWithout: number;
}

/** Whether to compact, and why. (mem-agent: compact.rs, need_compact and work; the README has the test the other way round.) */
export function decideCompaction(
  settings: CompactSettings,
  { pressurePercent, now, before, periodsWithout }: CompactionOutlook,
  pageBytes: number,
): { readonly run: boolean; readonly reason: CompactionReason } {
  const { period_psi_percent_limit, compact_force_times, compact_threshold, compact_order } = settings;
  if (pressurePercent > period_psi_percent_limit) return { run: false, reason: 'period_psi_exceeds_limit' };
  if (periodsWithout >= compact_force_times) return { run: true, reason: 'forced' };
  if (before && before.freeBytes - now.freeBytes > compact_threshold * pageBytes)
    return { run: true, reason: 'free_memory_fell' };
  const leftPages = before ? fragmentPages(before, compact_order) : 0;
  if (fragmentPages(now, compact_order) > compact_threshold + leftPages) return { run: true, reason: 'fragmented' };
  return { run: false, reason: 'not_fragmented' };
}

/** Free pages in movable blocks smaller than 2^order pages. */
export function fragmentPages({ movablePagesByOrder }: FreeMemory, order: number): number {
  return movablePagesByOrder.slice(0, order).reduce((sum, pages) => sum + pages, 0);
}

/** Free pages in blocks smaller than 2^order pages, movable or not. */
export function smallPages({ blocksByOrder }: Pick<FreeMemory, 'blocksByOrder'>, order: number): number {
  return blocksByOrder.slice(0, order).reduce((sum, blocks, small) => sum + blocks * 2 ** small, 0);
}

/** Free blocks of 2^order pages: larger ones count as so many of them. */
export function freeBlocks({ blocksByOrder }: Pick<FreeMemory, 'blocksByOrder'>, order: number): number {
  return blocksByOrder.slice(order).reduce((sum, blocks, above) => sum + blocks * 2 ** above, 0);
}
