import type { FileHandle } from 'node:fs/promises';
import { type AddressRange, PAGEMAP_ENTRY_BYTES } from '../pagemap.js';
import { HoldingMappingParser } from '../smaps.js';
import { openFile, readPieces } from './kernel-file.js';

const ENTRIES_PER_READ = 64 * 1024;

/** Entries of neighbouring pages. The buffer is used again for the next ones. */
export interface PagemapEntries {
  /** Address of the page that the first entry describes. */
  readonly start: number;
  readonly entries: Buffer;
}

/** The mappings in /proc/PID/smaps that have pages in memory, or swapped-out ones. Errors are Node's own. */
export async function holdingMappings(file: string, held: 'resident' | 'swapped'): Promise<AddressRange[]> {
  const parser = new HoldingMappingParser(held);
  const mappings: AddressRange[] = [];
  for await (const text of readPieces(file)) mappings.push(...parser.push(text));
  return [...mappings, ...parser.end()];
}

/** What /proc/PID/pagemap says of ranges of addresses, a piece at a time. Ends where the file does: the process is gone. Errors are Node's own. */
export async function* readPagemap(
  file: string,
  ranges: readonly AddressRange[],
  pageBytes: number,
): AsyncGenerator<PagemapEntries, void> {
  if (ranges.length === 0) return;
  const pagemap = await openFile(file, 0);
  try {
    const buffer = Buffer.allocUnsafe(ENTRIES_PER_READ * PAGEMAP_ENTRY_BYTES);
    for (const range of ranges) {
      let { start } = range;
      while (start < range.end) {
        const entries = await piece(pagemap, buffer, { start, end: range.end }, pageBytes);
        if (entries.length === 0) return;
        yield { start, entries };
        start += (entries.length / PAGEMAP_ENTRY_BYTES) * pageBytes;
      }
    }
  } finally {
    await pagemap.close();
  }
}

async function piece(pagemap: FileHandle, into: Buffer, { start, end }: AddressRange, pageBytes: number) {
  const wanted = Math.min(ENTRIES_PER_READ, (end - start) / pageBytes) * PAGEMAP_ENTRY_BYTES;
  const { bytesRead } = await pagemap.read(into, 0, wanted, (start / pageBytes) * PAGEMAP_ENTRY_BYTES);
  return into.subarray(0, bytesRead - (bytesRead % PAGEMAP_ENTRY_BYTES));
}
