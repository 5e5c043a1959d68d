import { systemErrno } from '../../errors.js';
import type { PageFrameInterface } from '../kernel.js';
import { FRAME_ENTRY_BYTES, type PageFrames } from '../page-frames.js';
import { OpenKernelFile, readBytesAt } from './kernel-file.js';
import type { KernelPaths } from './paths.js';
import { kernelRefused } from './refusal.js';

/** So few take the kernel less time than a thread hop. */
const FEW_FRAMES = 128;

/** No architecture has more physical memory: 2^52 bytes in pages of 4 KiB. */
const MOST_FRAMES = 2 ** 40;

/** /proc/kpageflags and /proc/kpagecgroup: what they say of one frame may be a moment apart. */
export class LinuxPageFrames implements PageFrameInterface {
  readonly #flags: OpenKernelFile;
  readonly #memcgs: OpenKernelFile;

  constructor(private readonly paths: KernelPaths) {
    this.#flags = new OpenKernelFile(paths.kpageflags);
    this.#memcgs = new OpenKernelFile(paths.kpagecgroup);
  }

  async obstacle(): Promise<string | undefined> {
    const entry = new Uint8Array(FRAME_ENTRY_BYTES);
    for (const [file, option] of [
      [this.paths.kpageflags, 'CONFIG_PROC_PAGE_MONITOR'],
      [this.paths.kpagecgroup, 'CONFIG_PROC_PAGE_MONITOR and CONFIG_MEMCG'],
    ] as const)
      try {
        await readBytesAt(file, entry, 0);
      } catch (refusal) {
        return systemErrno(refusal) === 'ENOENT'
          ? `this kernel has no ${file} (${option})`
          : `${file} cannot be read (${systemErrno(refusal) ?? 'for no known reason'})`;
      }
    return undefined;
  }

  /** The files do not tell their length: it is found by halves. */
  async count(): Promise<number> {
    const entry = new Uint8Array(FRAME_ENTRY_BYTES);
    const isThere = async (pfn: number): Promise<boolean> =>
      (await readBytesAt(this.paths.kpageflags, entry, pfn * FRAME_ENTRY_BYTES)) === FRAME_ENTRY_BYTES;
    let end = 1;
    while (end < MOST_FRAMES && (await isThere(end))) end *= 2;
    let there = end / 2;
    while (end - there > 1) {
      const middle = Math.floor((there + end) / 2);
      if (await isThere(middle)) there = middle;
      else end = middle;
    }
    return end;
  }

  async read(firstPfn: number, into: PageFrames): Promise<number> {
    const position = firstPfn * FRAME_ENTRY_BYTES;
    const few = into.capacity <= FEW_FRAMES;
    const { kpageflags, kpagecgroup } = this.paths;
    try {
      const flagBytes = few
        ? this.#flags.readAt(into.flagBytes, position)
        : await readBytesAt(kpageflags, into.flagBytes, position);
      const memcgRoom = into.memcgBytes.subarray(0, flagBytes);
      const memcgBytes = few
        ? this.#memcgs.readAt(memcgRoom, position)
        : await readBytesAt(kpagecgroup, memcgRoom, position);
      return Math.floor(Math.min(flagBytes, memcgBytes) / FRAME_ENTRY_BYTES);
    } catch (refusal) {
      throw kernelRefused(`Cannot read ${this.paths.kpageflags} and ${this.paths.kpagecgroup}.`, refusal);
    }
  }
}
