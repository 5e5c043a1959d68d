import { readFileSync } from 'node:fs';
import type { Memcg } from './memcg.js';
import { says } from './shell.js';
import { Workload } from './workload.js';

const hugeOrder = 9;

/** Starts a workload of which one page of each two was given back: these are free in single pages. */
export async function startHoles(memcg: Memcg, sizeMib: number): Promise<Workload> {
  const workload = await Workload.start(memcg, `holes:${sizeMib}:0`);
  // A compaction ends at a large folio with unwritten data for which no free block of its size was found (compact_zone in mm/compaction.c, Linux 6.9). There are some of
  // the files that were just copied here.
  await says('sync');
  return workload;
}

/** Free blocks of the order of huge pages; larger ones count as so many. */
export function freeHugeBlocks(): number {
  return freeBlocks().reduce(
    (sum, blocks, order) => sum + (order < hugeOrder ? 0 : blocks * 2 ** (order - hugeOrder)),
    0,
  );
}

/** Free blocks by order, over all zones. */
function freeBlocks(): number[] {
  const byOrder: number[] = [];
  for (const line of readFileSync('/proc/buddyinfo', 'utf8').trimEnd().split('\n'))
    for (const [order, blocks] of line.trim().split(/ +/).slice(4).entries())
      byOrder[order] = (byOrder[order] ?? 0) + Number(blocks);
  return byOrder;
}
