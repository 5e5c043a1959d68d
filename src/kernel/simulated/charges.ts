import { PAGE_BYTES } from './bytes.js';
import type { SimulatedMemcg } from './memcg.js';
import { slotOf } from './page-set.js';
import type { SimulatedSwapDevice } from './swap-devices.js';

/** memory.current: what the memcg and its subtree have in memory. */
export function currentBytes(memcg: SimulatedMemcg): number {
  let bytes = 0;
  for (const below of memcg.subtree()) {
    bytes += below.slabReclaimableBytes;
    for (const set of below.sets) bytes += set.residentPages * PAGE_BYTES;
  }
  return bytes;
}

/** What can still be charged to the memcg before it is throttled or killed: the least room on the way to the root. Never negative. */
export function roomBytes(memcg: SimulatedMemcg): number {
  return leastRoom(memcg, ({ limits }) => Math.min(limits['memory.max'], limits['memory.high']), currentBytes);
}

/** What can still be charged before the kernel kills. */
export function roomToKillBytes(memcg: SimulatedMemcg): number {
  return leastRoom(memcg, ({ limits }) => limits['memory.max'], currentBytes);
}

/** memory.swap.current in pages. */
export function swapUsedPages(memcg: SimulatedMemcg): number {
  let pages = 0;
  for (const set of memcg.subtreeSets()) pages += set.count((place) => slotOf(place) !== undefined);
  return pages;
}

export function deviceFreePages({ sizePages, usedPages }: SimulatedSwapDevice): number {
  return Math.max(0, sizePages - usedPages);
}

/** Pages of swap the memcg may still take: by its limits, by those of its ancestors and by what the devices have free. */
export function swapRoomPages(devices: readonly SimulatedSwapDevice[], memcg: SimulatedMemcg): number {
  const free = devices.reduce((sum, device) => sum + deviceFreePages(device), 0);
  const allowed = leastRoom(
    memcg,
    ({ limits }) => limits['memory.swap.max'],
    (above) => swapUsedPages(above) * PAGE_BYTES,
  );
  return Math.min(free, Math.floor(allowed / PAGE_BYTES));
}

/** Whether the kernel frees the slot of a page it swaps in: the memcg, an ancestor or the machine has used half its swap. */
export function swapIsHalfFull(devices: readonly SimulatedSwapDevice[], memcg: SimulatedMemcg): boolean {
  const total = devices.reduce((sum, { sizePages }) => sum + sizePages, 0);
  const used = devices.reduce((sum, { usedPages }) => sum + usedPages, 0);
  if (used * 2 > total) return true;
  for (const above of memcg.toRoot()) {
    const limit = Math.min(above.limits['memory.swap.max'], above.limits['memory.swap.high']);
    if (swapUsedPages(above) * PAGE_BYTES * 2 >= limit) return true;
  }
  return false;
}

function leastRoom(
  memcg: SimulatedMemcg,
  limitOf: (memcg: SimulatedMemcg) => number,
  usedBy: (memcg: SimulatedMemcg) => number,
): number {
  let room = Infinity;
  for (const above of memcg.toRoot()) {
    const limit = limitOf(above);
    if (limit !== Infinity) room = Math.min(room, limit - usedBy(above));
  }
  return Math.max(0, room);
}
