import { frameFlag, type PageFrames } from '../page-frames.js';
import type { PageFrameInterface } from '../kernel.js';
import type { PageSet } from './page-set.js';
import type { World } from './world.js';

/** Sets begin at multiples of so many frames, as if the kernel had given them whole blocks. */
const ALIGNMENT_FRAMES = 512;

/** A gigabyte, unless the sets take more. */
const MACHINE_FRAMES = 2 ** 18;

/** Page frames of the model: each set has a range of its own from when it is first seen, with a hole where its pages are not in memory. */
export class SimulatedPageFrames implements PageFrameInterface {
  readonly #firstFrames = new Map<PageSet, number>();
  #end = ALIGNMENT_FRAMES;

  constructor(private readonly world: World) {}

  async obstacle(): Promise<undefined> {
    return undefined;
  }

  async count(): Promise<number> {
    this.#place();
    return Math.max(MACHINE_FRAMES, this.#end);
  }

  async read(firstPfn: number, into: PageFrames): Promise<number> {
    const nowMs = this.world.settle();
    this.#place();
    const count = Math.max(0, Math.min(into.capacity, Math.max(MACHINE_FRAMES, this.#end) - firstPfn));
    for (let index = 0; index < count; index++) into.set(index, frameFlag.noPage, 0);
    for (const [set, firstFrame] of this.#firstFrames) {
      if (firstFrame >= firstPfn + count || firstFrame + set.nature.pages <= firstPfn || !set.memcg.sets.has(set))
        continue;
      const flags = flagsOf(set, nowMs);
      for (const { first, pages, place } of set.runs) {
        if (place.kind !== 'memory') continue;
        const from = Math.max(firstFrame + first, firstPfn);
        const to = Math.min(firstFrame + first + pages, firstPfn + count);
        for (let pfn = from; pfn < to; pfn++) into.set(pfn - firstPfn, flags, Number(set.memcg.inode));
      }
    }
    return count;
  }

  #place(): void {
    for (const set of this.world.tree.root.subtreeSets()) {
      if (this.#firstFrames.has(set)) continue;
      this.#firstFrames.set(set, this.#end);
      this.#end += Math.ceil(set.nature.pages / ALIGNMENT_FRAMES) * ALIGNMENT_FRAMES;
    }
  }
}

/** As MgLRU has them: a read sets the bit that the next aging clears. */
function flagsOf(set: PageSet, nowMs: number): number {
  const { type, access, shmem, node } = set.nature;
  const isRead = access === 'read' && set.lastTouchMs(nowMs) > set.memcg.on(node).agedMs;
  return (
    frameFlag.lru |
    (type === 'anon' ? frameFlag.swapBacked : 0) |
    (type === 'anon' && !shmem ? frameFlag.anon : 0) |
    (access === 'mapped' ? frameFlag.mapped : 0) |
    (set.mlocked ? frameFlag.unevictable : 0) |
    (isRead ? frameFlag.referenced : 0)
  );
}
