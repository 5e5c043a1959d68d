/** /proc/pagetypeinfo (mm/vmstat.c, pagetypeinfo_showfree): free blocks by node, zone, migrate type and order. Readable by root alone; takes the zones' locks. */

const MOVABLE_ROW = /^Node +\d+, zone +\S+, type +Movable ((?: *>?\d+)+) *$/gm;

/**
 * Free pages that can be moved, by the order of the block they are in, over all nodes and zones. The kernel stops counting at 100,000 blocks and
 * prints `>100000`: taken as 100,000, the least there can be. Rows of another form are passed over; never throws.
 */
export function parseMovablePages(text: string): number[] {
  const pagesByOrder: number[] = [];
  for (const [, counts = ''] of text.matchAll(MOVABLE_ROW))
    for (const [order, count] of counts.trim().split(/ +/).entries())
      pagesByOrder[order] = (pagesByOrder[order] ?? 0) + Number(count.replace('>', '')) * 2 ** order;
  return pagesByOrder;
}
