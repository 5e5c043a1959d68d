import { frameFlag, type PageFrames } from '../kernel/page-frames.js';
import { isIdleAt, setIdleAt } from '../kernel/idle-bitmap.js';
import { oldestAge } from './looks.js';

/** Base pages of one memcg by their age in looks. */
export interface PagesByAge {
  readonly anon: Uint32Array;
  readonly file: Uint32Array;
}

/**
 * The age of every page frame in a byte, as kidled itself keeps it: 0 for a page that was used since the last look, one more for each look
 * that found it idle. A large folio is used when one of its pages is: the kernel keeps one mark for all.
 */
export class FrameAges {
  #ages: Uint8Array;
  #headIsUsed = false;
  #headIsUser = false;

  constructor(frameCount: number) {
    this.#ages = new Uint8Array(frameCount);
  }

  get frameCount(): number {
    return this.#ages.length;
  }

  /** Looks that found the frame idle, one after the other. */
  at(pfn: number): number {
    return this.#ages[pfn] ?? 0;
  }

  /**
   * Brings `count` frames from `firstPfn` on up to date and counts them for their memcgs. `idle` has the marks as read; in `marks` are set
   * those to mark again. Slices must come lowest first: a folio may begin in the one before.
   */
  look(
    firstPfn: number,
    count: number,
    frames: PageFrames,
    idle: Uint8Array,
    marks: Uint8Array,
    counts: Map<number, PagesByAge>,
  ): void {
    let owner = -1;
    let pages: PagesByAge | undefined;
    for (let index = 0; index < count; index++) {
      const flags = frames.flagsAt(index);
      const pfn = firstPfn + index;
      const isTail = (flags & frameFlag.compoundTail) !== 0;
      if (!isTail) {
        this.#headIsUser = (flags & frameFlag.lru) !== 0;
        // Use through read(2) does not take the mark away under MgLRU; it sets this bit, which agings clear.
        this.#headIsUsed = !isIdleAt(idle, index) || (flags & frameFlag.referenced) !== 0;
        if (this.#headIsUser) setIdleAt(marks, index);
      }
      if (!this.#headIsUser || (isTail && (flags & frameFlag.lru) === 0)) {
        this.#ages[pfn] = 0;
        continue;
      }
      const age = this.#headIsUsed ? 0 : Math.min(oldestAge, (this.#ages[pfn] ?? 0) + 1);
      this.#ages[pfn] = age;
      const memcg = frames.memcgAt(index);
      if (memcg !== owner) {
        owner = memcg;
        pages = countsOf(counts, memcg);
      }
      const ofType = (flags & frameFlag.swapBacked) === 0 ? pages?.file : pages?.anon;
      if (ofType) ofType[age] = (ofType[age] ?? 0) + 1;
    }
  }
}

function countsOf(counts: Map<number, PagesByAge>, memcg: number): PagesByAge {
  let pages = counts.get(memcg);
  if (!pages) {
    pages = { anon: new Uint32Array(oldestAge + 1), file: new Uint32Array(oldestAge + 1) };
    counts.set(memcg, pages);
  }
  return pages;
}
