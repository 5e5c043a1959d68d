/** /proc/buddyinfo (mm/vmstat.c, frag_show): free blocks by node, zone and order. Cheap to read. */

const ZONE_ROW = /^Node +(\d{1,9}), zone +\S+((?: +\d+)+) *$/gm;

/** Free blocks by node and order, over all zones. Rows of another form are passed over; never throws. */
export function parseFreeBlocksByNode(text: string): Map<number, number[]> {
  const blocksByNode = new Map<number, number[]>();
  for (const [, node = '0', counts = ''] of text.matchAll(ZONE_ROW)) {
    const blocks = blocksByNode.get(Number(node)) ?? [];
    for (const [order, count] of counts.trim().split(/ +/).entries())
      blocks[order] = (blocks[order] ?? 0) + Number(count);
    blocksByNode.set(Number(node), blocks);
  }
  return blocksByNode;
}

/** Free blocks by order, over all nodes and zones. Rows of another form are passed over; never throws. */
export function parseFreeBlocks(text: string): number[] {
  const blocksByOrder: number[] = [];
  for (const blocks of parseFreeBlocksByNode(text).values())
    for (const [order, count] of blocks.entries()) blocksByOrder[order] = (blocksByOrder[order] ?? 0) + count;
  return blocksByOrder;
}
