/** Swap of the whole machine, in bytes. */
export interface MachineSwap {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

const BYTES_PER_KB = 1024;

/** Reads SwapTotal and SwapFree out of /proc/meminfo; 0 where a line is missing. Never throws. */
export function parseMachineSwap(text: string): MachineSwap {
  return { totalBytes: bytesOf(text, 'SwapTotal'), freeBytes: bytesOf(text, 'SwapFree') };
}

/** Reads MemFree out of /proc/meminfo; 0 where it is missing. Never throws. */
export function parseFreeBytes(text: string): number {
  return bytesOf(text, 'MemFree');
}

/** Reads SReclaimable out of /proc/meminfo; 0 where it is missing. Never throws. */
export function parseReclaimableSlabBytes(text: string): number {
  return bytesOf(text, 'SReclaimable');
}

function bytesOf(text: string, name: string): number {
  const line = new RegExp(`^${name}: +(\\d{1,15}) kB$`, 'm').exec(text);
  return line === null ? 0 : Number(line[1]) * BYTES_PER_KB;
}
