import { constants } from 'node:fs';
import { systemErrno } from '../../errors.js';
import type { ProcessInterface } from '../kernel.js';
import { PAGEMAP_ENTRY_BYTES, swappedRangesIn, type AddressRange } from '../pagemap.js';
import { ReferencedFileParser, SwappedMappingParser } from '../smaps.js';
import { openFile, readPieces } from './kernel-file.js';
import type { KernelPaths } from './paths.js';
import { isGone, kernelRefused } from './refusal.js';

const ENTRIES_PER_READ = 64 * 1024;
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
    const mappings = await this.#swappedMappings(pid);
    if (mappings.length === 0) return;
    const pagemap = await openFile(this.paths.pagemap(pid), constants.O_RDONLY);
    try {
      const entries = Buffer.allocUnsafe(ENTRIES_PER_READ * PAGEMAP_ENTRY_BYTES);
      for (const { start, end } of mappings) {
        let address = start;
        while (address < end) {
          const pages = Math.min(ENTRIES_PER_READ, (end - address) / this.pageBytes);
          const position = (address / this.pageBytes) * PAGEMAP_ENTRY_BYTES;
          const { bytesRead } = await pagemap.read(entries, 0, pages * PAGEMAP_ENTRY_BYTES, position);
          if (bytesRead === 0) return;
          yield* swappedRangesIn(entries.subarray(0, bytesRead), address, this.pageBytes);
          address += (bytesRead / PAGEMAP_ENTRY_BYTES) * this.pageBytes;
        }
      }
    } finally {
      await pagemap.close();
    }
  }

  async #swappedMappings(pid: number): Promise<AddressRange[]> {
    const parser = new SwappedMappingParser();
    const mappings: AddressRange[] = [];
    for await (const piece of readPieces(this.paths.smaps(pid))) mappings.push(...parser.push(piece));
    return [...mappings, ...parser.end()];
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
