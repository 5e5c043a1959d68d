import { systemErrno } from '../../errors.js';
import type { IdlePageInterface } from '../kernel.js';
import { readBytesAt, writeBytesAt } from './kernel-file.js';
import type { KernelPaths } from './paths.js';
import { kernelRefused } from './refusal.js';

const WORD_BYTES = 8;

/** /sys/kernel/mm/page_idle/bitmap (CONFIG_IDLE_PAGE_TRACKING). */
export class LinuxIdlePages implements IdlePageInterface {
  constructor(private readonly paths: KernelPaths) {}

  async obstacle(): Promise<string | undefined> {
    try {
      await readBytesAt(this.paths.idlePages, new Uint8Array(WORD_BYTES), 0);
      return undefined;
    } catch (refusal) {
      return systemErrno(refusal) === 'ENOENT'
        ? `this kernel has no ${this.paths.idlePages} (CONFIG_IDLE_PAGE_TRACKING), as those of most distributions`
        : `${this.paths.idlePages} cannot be read (${systemErrno(refusal) ?? 'for no known reason'})`;
    }
  }

  async read(firstPfn: number, into: Uint8Array): Promise<void> {
    into.fill(0);
    try {
      await readBytesAt(this.paths.idlePages, into, firstPfn / 8);
    } catch (refusal) {
      throw kernelRefused(`Cannot read ${this.paths.idlePages}.`, refusal);
    }
  }

  /** The kernel answers nothing written for a last word that is not full (page_idle_bitmap_write in mm/page_idle.c), though it marks its frames. */
  async mark(firstPfn: number, bitmap: Uint8Array): Promise<void> {
    try {
      await writeBytesAt(this.paths.idlePages, bitmap, firstPfn / 8);
    } catch (refusal) {
      // Past the last frame: the bitmap is longer than the memory there is.
      if (systemErrno(refusal) !== 'ENXIO') throw kernelRefused(`Cannot write ${this.paths.idlePages}.`, refusal);
    }
  }
}
