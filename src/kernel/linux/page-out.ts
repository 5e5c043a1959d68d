import { systemErrno } from '../../errors.js';
import type { MappedFrames, PageOutInterface } from '../kernel.js';
import { type AddressRange, framesIn, PAGEMAP_ENTRY_BYTES, presentPagesIn } from '../pagemap.js';
import { readText } from './kernel-file.js';
import { holdingMappings, readPagemap } from './pagemap.js';
import type { KernelPaths } from './paths.js';
import type * as ProcessMadvise from './process-madvise.js';
import { isGone, kernelRefused } from './refusal.js';

const CAP_SYS_NICE = 1n << 23n;

/** /proc/PID/pagemap and process_madvise(2). */
export class LinuxPageOut implements PageOutInterface {
  constructor(
    private readonly paths: Pick<KernelPaths, 'smaps' | 'pagemap' | 'process'>,
    private readonly pageBytes: number,
  ) {}

  async obstacle(): Promise<string | undefined> {
    try {
      // Of its own memory a process may ask without it.
      const status = await readText(this.paths.process(process.pid, 'status'));
      const [, capabilities = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(status) ?? [];
      if ((BigInt(`0x${capabilities}`) & CAP_SYS_NICE) === 0n) return 'coldpgs has no CAP_SYS_NICE';
      (await processMadvise()).adviseNothing();
      return undefined;
    } catch (refusal) {
      const errno = systemErrno(refusal);
      if (errno === 'ERR_MODULE_NOT_FOUND') return 'the package koffi is not installed: npm install --include=optional';
      return `the kernel has no process_madvise (${errno ?? String(refusal)})`;
    }
  }

  async *frames(pid: number): AsyncGenerator<MappedFrames, void> {
    try {
      const mappings = await holdingMappings(this.paths.smaps(pid), 'resident');
      for await (const { start, entries } of readPagemap(this.paths.pagemap(pid), mappings, this.pageBytes))
        yield { start, pfns: framesIn(entries) };
    } catch (error) {
      if (!isGone(error)) throw kernelRefused(`Cannot see where the memory of process ${pid} is.`, error);
    }
  }

  async pageOut(pid: number, ranges: readonly AddressRange[]): Promise<number> {
    let pages = 0;
    try {
      await (await processMadvise()).advisePageOut(pid, ranges);
      for await (const { entries } of readPagemap(this.paths.pagemap(pid), ranges, this.pageBytes))
        pages += entries.length / PAGEMAP_ENTRY_BYTES - presentPagesIn(entries);
    } catch (error) {
      if (!isGone(error)) throw kernelRefused(`Cannot page out memory of process ${pid}.`, error);
    }
    return pages;
  }
}

/** Loaded when it is needed first: the package it calls through is optional. */
function processMadvise(): Promise<typeof ProcessMadvise> {
  return import('./process-madvise.js');
}
