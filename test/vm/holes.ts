import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Memcg } from './memcg.js';
import { Workload } from './workload.js';

const hugeOrder = 9;

/** Starts a workload of which every second page was given back, and waits until these are free in single pages. */
export async function startHoles(memcg: Memcg, sizeMib: number): Promise<Workload> {
  const workload = await Workload.start(memcg, `holes:${sizeMib}:0`);
  // They come out of the lists of the processors bit by bit, 2,000 a second (decay_pcp_high in mm/page_alloc.c): no compaction sees them there.
  for (let before = 0, now = smallFreePages(); now - before > 1000; before = now, now = smallFreePages())
    await sleep(2000);
  return workload;
}

/** Free blocks of the order of huge pages; larger ones count as so many. */
export function freeHugeBlocks(): number {
  return freeBlocks().reduce(
    (sum, blocks, order) => sum + (order < hugeOrder ? 0 : blocks * 2 ** (order - hugeOrder)),
    0,
  );
}

/** Free pages in smaller blocks. */
function smallFreePages(): number {
  return freeBlocks().reduce((sum, blocks, order) => sum + (order < hugeOrder ? blocks * 2 ** order : 0), 0);
}

/** Free blocks by order, over all zones. */
function freeBlocks(): number[] {
  const byOrder: number[] = [];
  for (const line of readFileSync('/proc/buddyinfo', 'utf8').trimEnd().split('\n'))
    for (const [order, blocks] of line.trim().split(/ +/).slice(4).entries())
      byOrder[order] = (byOrder[order] ?? 0) + Number(blocks);
  return byOrder;
}
