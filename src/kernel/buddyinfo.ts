/** /proc/buddyinfo (mm/vmstat.c, frag_show): free blocks by node, zone and order. Cheap to read. */

const ZONE_ROW = /^Node +\d+, zone +\S+((?: +\d+)+) *$/gm;

/** Free blocks by order, over all nodes and zones. Rows of another form are passed over; never throws. */
export function parseFreeBlocks(text: string): number[] {
  const blocksByOrder: number[] = [];
  for (const [, counts = ''] of text.matchAll(ZONE_ROW))
    for (const [order, count] of counts.trim().split(/ +/).entries())
      blocksByOrder[order] = (blocksByOrder[order] ?? 0) + Number(count);
  return blocksByOrder;
}
