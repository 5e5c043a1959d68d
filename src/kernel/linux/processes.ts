import { constants } from 'node:fs';
import { systemErrno } from '../../errors.js';
import type { ProcessInterface } from '../kernel.js';
import { swappedRangesIn, type AddressRange } from '../pagemap.js';
import { ReferencedFileParser } from '../smaps.js';
import { openFile, readPieces } from './kernel-file.js';
import { holdingMappings, readPagemap } from './pagemap.js';
import type { KernelPaths } from './paths.js';
import { isGone, kernelRefused } from './refusal.js';

const POPULATE_BYTES = 1024 * 1024;

/** What is read of processes' memory is not looked at, and not kept: all reads go into this one, also at the same time. */
const discarded = Buffer.alloc(POPULATE_BYTES);

/** Memory of processes, through /proc/PID. */
export class LinuxProcesses implements ProcessInterface {
  constructor(
    private readonly paths: KernelPaths,
    private readonly pageBytes: number,
  ) {}

  /** Swapped-out shmem is not found: pagemap shows it as absent. */
  async *swappedRanges(pid: number): AsyncGenerator<AddressRange, void> {
    try {
      yield* joined(this.#swappedPieces(pid));
    } catch (error) {
      if (!isGone(error)) throw kernelRefused(`Cannot see what of process ${pid} is swapped out.`, error);
    }
  }

  async referencedFileBytes(pid: number): Promise<number> {
    const parser = new ReferencedFileParser();
    try {
      for await (const piece of readPieces(this.paths.smaps(pid))) parser.push(piece);
    } catch (error) {
      if (!isGone(error)) throw kernelRefused(`Cannot see what process ${pid} uses of page cache.`, error);
    }
    return parser.end();
  }

  async populate(pid: number, range: AddressRange): Promise<number> {
    let address = range.start;
    try {
      const memory = await openFile(this.paths.memory(pid), constants.O_RDONLY);
      try {
        while (address < range.end) {
          const length = Math.min(POPULATE_BYTES, range.end - address);
          const { bytesRead } = await memory.read(discarded, 0, length, address);
          if (bytesRead === 0) break;
          address += bytesRead;
        }
      } finally {
        discarded.fill(0, 0, Math.min(POPULATE_BYTES, address - range.start));
        await memory.close();
      }
    } catch (error) {
      if (!isGone(error) && !isUnmapped(error)) throw kernelRefused(`Cannot read the memory of process ${pid}.`, error);
    }
    return address - range.start;
  }

  async *#swappedPieces(pid: number): AsyncGenerator<AddressRange, void> {
    const mappings = await holdingMappings(this.paths.smaps(pid), 'swapped');
    for await (const { start, entries } of readPagemap(this.paths.pagemap(pid), mappings, this.pageBytes))
      yield* swappedRangesIn(entries, start, this.pageBytes);
  }
}

/** Neighbouring ranges as one. */
async function* joined(ranges: AsyncIterable<AddressRange>): AsyncGenerator<AddressRange, void> {
  let last: AddressRange | undefined;
  for await (const range of ranges) {
    if (last?.end === range.start) last = { start: last.start, end: range.end };
    else {
      if (last !== undefined) yield last;
      last = range;
    }
  }
  if (last !== undefined) yield last;
}

/** Nothing is mapped there, or nothing that can be read. */
function isUnmapped(error: unknown): boolean {
  return ['EIO', 'EFAULT'].includes(systemErrno(error) ?? '');
}
