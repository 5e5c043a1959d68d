import type { PageFrameInterface } from '../kernel/kernel.js';
import { frameFlag, PageFrames } from '../kernel/page-frames.js';
import { framesPerBlock } from './frame-sample.js';

/** Of the sampled frames that a run is watched by: those whose page is gone by now, and those of them that were read too lately to go. */
export interface Losses {
  readonly gone: number;
  readonly young: number;
}

/** A sampled frame that held page cache of the memcg when the run began. */
export interface WatchedFrame {
  readonly pfn: number;
  /** Whether it was read more lately than a page may be that is to go. */
  readonly young: boolean;
}

/**
 * What an eviction takes of the page cache that a witness of reads follows. The order inside a generation means nothing, and pages that
 * were read once or twice are not spared: only looking at which pages went tells whether they were the cold ones.
 */
export class ReadLosses {
  readonly #blocks = new Map<number, WatchedFrame[]>();
  readonly frames: number;
  readonly youngFrames: number;
  /** Of all page cache in the sample, mapped or not, 0 to 1. */
  readonly youngShare: number;

  private constructor(
    private readonly pageFrames: PageFrameInterface,
    private readonly memcgInode: number,
    watched: readonly WatchedFrame[],
    mappedFrames: number,
  ) {
    for (const frame of watched) {
      const firstPfn = frame.pfn - (frame.pfn % framesPerBlock);
      const block = this.#blocks.get(firstPfn);
      if (block) block.push(frame);
      else this.#blocks.set(firstPfn, [frame]);
    }
    this.frames = watched.length;
    this.youngFrames = watched.filter(({ young }) => young).length;
    const allFrames = watched.length + mappedFrames;
    this.youngShare = allFrames === 0 ? 0 : this.youngFrames / allFrames;
  }

  /**
   * Watches the frames of `sampled` that hold unmapped page cache of the memcg still: since the look that they were sampled in, a page may have gone for
   * other reasons, or have been mapped, as one that was read ahead is when it is used. Nothing is known of the reads of mapped
   * pages, of which the sample has `mappedFrames` more. Throws KERNEL_REFUSED.
   */
  static async watch(
    pageFrames: PageFrameInterface,
    memcgInode: number,
    sampled: readonly WatchedFrame[],
    mappedFrames: number,
  ): Promise<ReadLosses> {
    const losses = new ReadLosses(pageFrames, memcgInode, sampled, mappedFrames);
    const watched: WatchedFrame[] = [];
    let nowMapped = mappedFrames;
    await losses.#eachFrame((frame, flags) => {
      if (flags === undefined) return;
      if ((flags & frameFlag.mapped) !== 0) nowMapped++;
      else watched.push(frame);
    });
    return new ReadLosses(pageFrames, memcgInode, watched, nowMapped);
  }

  /** Since the run began. Throws KERNEL_REFUSED. */
  async soFar(): Promise<Losses> {
    let [gone, young] = [0, 0];
    await this.#eachFrame((frame, flags) => {
      if (flags !== undefined) return;
      gone++;
      if (frame.young) young++;
    });
    return { gone, young };
  }

  /** Tells the flags of each frame, undefined where it holds no page cache of the memcg any more. */
  async #eachFrame(tell: (frame: WatchedFrame, flags: number | undefined) => void): Promise<void> {
    const frames = new PageFrames(framesPerBlock);
    for (const [firstPfn, watched] of this.#blocks) {
      const count = await this.pageFrames.read(firstPfn, frames);
      for (const frame of watched) {
        const index = frame.pfn - firstPfn;
        tell(frame, index < count && this.#isThere(frames, index) ? frames.flagsAt(index) : undefined);
      }
    }
  }

  #isThere(frames: PageFrames, index: number): boolean {
    const isPageCache = (frames.flagsAt(index) & (frameFlag.lru | frameFlag.swapBacked)) === frameFlag.lru;
    return isPageCache && frames.memcgAt(index) === this.memcgInode;
  }
}

/** Fewer say nothing: chance, or pages that the kernel takes along. */
export const fewestYoung = 3;
const mostYoungShare = 0.05;

/** Whether an eviction takes page cache that is too young. */
export function takesTooYoung({ gone, young }: Losses): boolean {
  return young >= fewestYoung && young > gone * mostYoungShare;
}
