import type { AddressRange } from '../../pagemap.js';

/** The most that one stop of a process changes. Pieces end at multiples of it, so that no huge page is split. */
export const PIECE_BYTES = 8 * 1024 * 1024;

export function pieces({ start, end }: AddressRange): AddressRange[] {
  const cut: AddressRange[] = [];
  for (let from = start; from < end;) {
    const until = Math.min(end, from - (from % PIECE_BYTES) + PIECE_BYTES);
    cut.push({ start: from, end: until });
    from = until;
  }
  return cut;
}

/** What both lists of ranges have, each in the order of addresses; neighbours joined. */
export function common(ranges: readonly AddressRange[], others: readonly AddressRange[]): AddressRange[] {
  const shared: AddressRange[] = [];
  for (const range of ranges)
    for (const other of others) {
      const [start, end] = [Math.max(range.start, other.start), Math.min(range.end, other.end)];
      if (start >= end) continue;
      const last = shared.at(-1);
      if (last?.end === start) shared[shared.length - 1] = { start: last.start, end };
      else shared.push({ start, end });
    }
  return shared;
}
