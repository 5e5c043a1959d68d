/**
 * The bitmap of idle page tracking: a bit a page frame, bit N of it in bit N % 64 of word N / 64, words in the machine's own order
 * (Documentation/admin-guide/mm/idle_page_tracking.rst).
 */
import { endianness } from 'node:os';

/** Reads and writes start at a multiple of so many frames and are as long as one. */
export const FRAMES_PER_IDLE_WORD = 64;

const FLIP = endianness() === 'LE' ? 0 : 7;

/** Whether the bit of the frame at `index` is set. A page frame whose bit is clear was used, or is no page of a user's. */
export function isIdleAt(bitmap: Uint8Array, index: number): boolean {
  return ((bitmap[(index >> 3) ^ FLIP] ?? 0) & (1 << (index & 7))) !== 0;
}

export function setIdleAt(bitmap: Uint8Array, index: number): void {
  const at = (index >> 3) ^ FLIP;
  bitmap[at] = (bitmap[at] ?? 0) | (1 << (index & 7));
}
