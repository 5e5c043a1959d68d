/** A page-aligned range of a process's addresses, end exclusive. Addresses stay below 2^53 on the architectures Linux runs MgLRU on. */
export interface AddressRange {
  readonly start: number;
  readonly end: number;
}

/** Bytes of one entry of /proc/PID/pagemap, which has one a page (Documentation/admin-guide/mm/pagemap.rst). */
export const PAGEMAP_ENTRY_BYTES = 8;

/** Bits 62 and 63 of an entry, as bits of its upper half. */
const SWAPPED = 1 << 30;
const PRESENT = 1 << 31;
/** Bits 0 to 54 of the entry of a page in memory are its page frame number. */
const PFN_UPPER_HALF = (1 << 23) - 1;

/**
 * The swapped-out ranges among the pagemap entries in `entries`, the first of which describes the page at `startAddress`; lowest first,
 * neighbours joined. Bytes after the last whole entry are passed over.
 */
export function swappedRangesIn(entries: Buffer, startAddress: number, pageBytes: number): AddressRange[] {
  const ranges: AddressRange[] = [];
  const count = Math.floor(entries.length / PAGEMAP_ENTRY_BYTES);
  let first: number | undefined;
  for (let index = 0; index <= count; index++) {
    const swapped = index < count && isSwapped(entries, index);
    if (swapped) first ??= index;
    else if (first !== undefined) {
      ranges.push({ start: startAddress + first * pageBytes, end: startAddress + index * pageBytes });
      first = undefined;
    }
  }
  return ranges;
}

/**
 * The page frames of the pages that the entries in `entries` describe, in their order; -1 where none is in memory. The kernel tells them to
 * who has CAP_SYS_ADMIN only, and 0 to others.
 */
export function framesIn(entries: Buffer): Float64Array {
  const pfns = new Float64Array(Math.floor(entries.length / PAGEMAP_ENTRY_BYTES)).fill(-1);
  for (let index = 0; index < pfns.length; index++) {
    const at = index * PAGEMAP_ENTRY_BYTES;
    const upperHalf = entries.readInt32LE(at + 4);
    if (upperHalf & PRESENT) pfns[index] = (upperHalf & PFN_UPPER_HALF) * 2 ** 32 + entries.readUInt32LE(at);
  }
  return pfns;
}

/** How many of the pages that pagemap entries describe are in memory. */
export function presentPagesIn(entries: Buffer): number {
  let pages = 0;
  for (let at = 4; at < entries.length; at += PAGEMAP_ENTRY_BYTES) if (entries.readInt32LE(at) & PRESENT) pages++;
  return pages;
}

function isSwapped(entries: Buffer, index: number): boolean {
  const upperHalf = entries.readInt32LE(index * PAGEMAP_ENTRY_BYTES + 4);
  return (upperHalf & SWAPPED) !== 0 && (upperHalf & PRESENT) === 0;
}
