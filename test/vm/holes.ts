import { readFileSync } from 'node:fs';
import type { Memcg } from './memcg.js';
import { says } from './shell.js';
import { Workload } from './workload.js';

const hugeOrder = 9;

/** Starts a workload of which every second page was given back, and waits until these are free in single pages. */
export async function startHoles(memcg: Memcg, sizeMib: number): Promise<Workload> {
  const workload = await Workload.start(memcg, `holes:${sizeMib}:0`);
  // They come out of the lists of the processors bit by bit, 2,000 a second (decay_pcp_high in mm/page_alloc.c), while other pages come and go: no
  // compaction sees them there.
  let most = 0;
  for (let unchanged = 0; unchanged < 3;) {
    await says('sleep 1');
    const pages = smallFreePages();
    unchanged = pages > most + 500 ? 0 : unchanged + 1;
    most = Math.max(most, pages);
  }
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
