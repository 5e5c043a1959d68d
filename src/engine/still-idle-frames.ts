import { isIdleAt } from '../kernel/idle-bitmap.js';
import type { Kernel } from '../kernel/kernel.js';
import { frameFlag, PageFrames } from '../kernel/page-frames.js';
import type { PageType } from './eviction.js';
import type { IdleFrames } from './tracker.js';

/** An entry of a table of pages, in bytes. A table of them maps the largest folio that lists hold, which begins at a multiple of its size. */
const tableEntryBytes = 8;

const onList = frameFlag.lru | frameFlag.unevictable;

/**
 * Frames whose ages say that they are idle, asked about anew: the mark of each is looked at once more, so nothing counts that was used since the last look,
 * nor what was allocated since. (A page that was moved into the frame meanwhile brings its own mark along.) The marks of pages in use go, as in a look.
 */
export class StillIdleFrames implements IdleFrames {
  /** Frames asked about together: no folio lies across two blocks. */
  readonly #blockFrames: number;
  readonly #frames: PageFrames;
  readonly #idle: Uint8Array;

  constructor(
    private readonly kernel: Pick<Kernel, 'pageFrames' | 'idlePages' | 'pageBytes'>,
    private readonly memcgInode: number,
    /** What the looks up to now say of a frame. */
    private readonly wasIdleNow: () => (pfn: number) => boolean,
  ) {
    this.#blockFrames = kernel.pageBytes / tableEntryBytes;
    this.#frames = new PageFrames(this.#blockFrames);
    this.#idle = new Uint8Array(this.#blockFrames / 8);
  }

  async among(pfns: Float64Array, type: PageType): Promise<Uint8Array> {
    const idle = new Uint8Array(pfns.length);
    for (const [firstPfn, indices] of this.#byBlock(pfns)) {
      const stillIdle = await this.#idleInBlock(firstPfn, type);
      for (const index of indices) idle[index] = stillIdle[(pfns[index] ?? 0) - firstPfn] ?? 0;
    }
    return idle;
  }

  /** Indices of frames that were idle, by the first frame of their block. */
  #byBlock(pfns: Float64Array): Map<number, number[]> {
    const blocks = new Map<number, number[]>();
    const wasIdle = this.wasIdleNow();
    for (const [index, pfn] of pfns.entries()) {
      if (pfn < 0 || !wasIdle(pfn)) continue;
      const firstPfn = pfn - (pfn % this.#blockFrames);
      const indices = blocks.get(firstPfn);
      if (indices) indices.push(index);
      else blocks.set(firstPfn, [index]);
    }
    return blocks;
  }

  async #idleInBlock(firstPfn: number, type: PageType): Promise<Uint8Array> {
    const stillIdle = new Uint8Array(this.#blockFrames);
    await this.kernel.idlePages.read(firstPfn, this.#idle);
    const count = await this.kernel.pageFrames.read(firstPfn, this.#frames);
    const wanted = type === 'anon' ? frameFlag.swapBacked : 0;
    let headIsIdle = false;
    for (let index = 0; index < count; index++) {
      const flags = this.#frames.flagsAt(index);
      if ((flags & frameFlag.compoundTail) === 0)
        headIsIdle = isIdleAt(this.#idle, index) && (flags & frameFlag.referenced) === 0;
      const isOfType = (flags & onList) === frameFlag.lru && (flags & frameFlag.swapBacked) === wanted;
      if (headIsIdle && isOfType && this.#frames.memcgAt(index) === this.memcgInode) stillIdle[index] = 1;
      // Kernels that tell the flags of the first page only: without the others it would be split off.
      else if (index > 0 && (flags & frameFlag.compoundTail) !== 0 && (flags & frameFlag.lru) === 0)
        stillIdle[index - 1] = 0;
    }
    return stillIdle;
  }
}
