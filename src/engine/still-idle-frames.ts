import { isIdleAt } from '../kernel/idle-bitmap.js';
import type { Kernel } from '../kernel/kernel.js';
import { frameFlag, PageFrames } from '../kernel/page-frames.js';
import type { PageType } from './eviction.js';
import type { IdleFrames } from './tracker.js';

/** Frames asked about together. Folios of that size or smaller begin at a multiple of their size: none lies across two blocks. */
const blockFrames = 512;

const onList = frameFlag.lru | frameFlag.unevictable;

/**
 * Frames whose ages say that they are idle, asked about anew: the mark of each is looked at once more, so nothing counts that was used since the last look,
 * nor what has come into a frame since. The marks of pages in use go, as in a look. Of folios larger than a block nothing is said.
 */
export class StillIdleFrames implements IdleFrames {
  readonly #frames = new PageFrames(blockFrames);
  readonly #idle = new Uint8Array(blockFrames / 8);

  constructor(
    private readonly kernel: Pick<Kernel, 'pageFrames' | 'idlePages'>,
    private readonly memcgInode: number,
    /** By what the last looks found. */
    private readonly wasIdle: (pfn: number) => boolean,
  ) {}

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
    for (const [index, pfn] of pfns.entries()) {
      if (pfn < 0 || !this.wasIdle(pfn)) continue;
      const firstPfn = pfn - (pfn % blockFrames);
      const indices = blocks.get(firstPfn);
      if (indices) indices.push(index);
      else blocks.set(firstPfn, [index]);
    }
    return blocks;
  }

  async #idleInBlock(firstPfn: number, type: PageType): Promise<Uint8Array> {
    const stillIdle = new Uint8Array(blockFrames);
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
    }
    return stillIdle;
  }
}
