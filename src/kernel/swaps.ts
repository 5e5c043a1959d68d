import { unescapeOctal } from './octal-escapes.js';

/** One line of /proc/swaps. */
export interface SwapDevice {
  readonly name: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly usedBytes: number;
  readonly priority: number;
}

const DEVICE = /^(\S+)\s+(\S+)\s+(\d{1,15})\s+(\d{1,15})\s+(-?\d{1,9})\n/gm;
const BYTES_PER_KB = 1024;

/** Parses /proc/swaps (latin1). The heading and lines in another form are passed over; never throws. */
export function parseSwaps(text: string): SwapDevice[] {
  return Array.from(text.matchAll(DEVICE), ([, name = '', type = '', sizeKb, usedKb, priority]) => ({
    name: unescapeOctal(name),
    type,
    sizeBytes: Number(sizeKb) * BYTES_PER_KB,
    usedBytes: Number(usedKb) * BYTES_PER_KB,
    priority: Number(priority),
  }));
}
