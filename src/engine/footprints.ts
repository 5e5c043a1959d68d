import { ColdpgsError, sentenceOf } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import type { MemoryStat } from '../kernel/memory-stat.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import type { Footprint } from './histogram.js';
import type { SeenMemcg } from './tracker.js';

interface ListedPages {
  readonly anonPages: number;
  readonly filePages: number;
}

interface Reading {
  readonly footprint: Footprint;
  /** Whether the descendants are counted in. */
  readonly includesDescendants: boolean;
  readonly wasDirty: boolean;
  /** Listed pages at the time: other counts mean that the reading is out of date. */
  readonly listed: ListedPages;
  /** The look at which it was made. */
  readonly look: number;
}

/** A reading is made again after so many looks, whatever the listing says: dirty pages are written out without a trace there. */
const readingLooks = 20;

/**
 * memory.stat of memcgs, as far as the rows of the histogram need it: what is dirty, unevictable, slab. Read at a look for memcgs whose pages changed,
 * as many as fit in a time; the others follow at the next looks.
 */
export class Footprints {
  readonly #readings = new Map<bigint, Reading>();
  #look = 0;

  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Reads what is out of date, those that wait longest first, for at most `atMostMs`. */
  async refresh(seen: readonly SeenMemcg[], atMostMs: number, signal: AbortSignal): Promise<void> {
    this.#look++;
    const endMs = this.clock.nowMs() + atMostMs;
    const due = seen
      .filter((one) => this.#isDue(one))
      .sort((one, other) => this.#readAt(one.memcg) - this.#readAt(other.memcg));
    for (const { memcg, listed } of due) {
      if (signal.aborted || this.clock.nowMs() > endMs) return;
      try {
        const stat = await this.kernel.memory.stat(memcg.path);
        this.#readings.set(memcg.inode, {
          footprint: footprintOf(stat),
          includesDescendants: stat.includesDescendants,
          wasDirty: stat.fileDirtyBytes + stat.writebackBytes > 0,
          listed: pagesOf(listed),
          look: this.#look,
        });
      } catch (failure) {
        // Removed since the listing, most likely. Its rows go with it.
        if (!(failure instanceof ColdpgsError)) throw failure;
        this.log.debug({ memcg: toText(memcg.path), failure: sentenceOf(failure) }, 'memory.stat not read');
      }
    }
  }

  /**
   * The memcg's own memory. memory.stat of cgroup v2 includes the descendants: what `children` have of it is taken off, and where one of them has
   * not been read yet, nothing is said. undefined where nothing is known.
   */
  of(memcg: Memcg, children: readonly Memcg[]): Footprint | undefined {
    const own = this.#readings.get(memcg.inode);
    if (!own?.includesDescendants) return own?.footprint;
    let { footprint } = own;
    for (const child of children) {
      const reading = this.#readings.get(child.inode);
      if (!reading) return undefined;
      footprint = lessOf(footprint, reading.footprint);
    }
    return footprint;
  }

  forget(inodes: readonly bigint[]): void {
    for (const inode of inodes) this.#readings.delete(inode);
  }

  #isDue({ memcg, listed }: SeenMemcg): boolean {
    const reading = this.#readings.get(memcg.inode);
    if (!reading) return true;
    if (reading.wasDirty || this.#look - reading.look >= readingLooks) return true;
    const { anonPages, filePages } = pagesOf(listed);
    return reading.listed.anonPages !== anonPages || reading.listed.filePages !== filePages;
  }

  #readAt(memcg: Memcg): number {
    return this.#readings.get(memcg.inode)?.look ?? -1;
  }
}

/** What a memory.stat says of the memory it counts. */
export function footprintOf(stat: MemoryStat): Footprint {
  const anonBytes = stat.anonBytes + stat.shmemBytes;
  const fileBytes = Math.max(0, stat.fileBytes - stat.shmemBytes);
  const { unevictableBytes } = stat;
  const listedAnonBytes = stat.inactiveAnonBytes + stat.activeAnonBytes;
  const unevictableAnonBytes = Math.min(unevictableBytes, Math.max(0, anonBytes - listedAnonBytes));
  return {
    anonBytes,
    fileBytes,
    dirtyBytes: Math.min(fileBytes, stat.fileDirtyBytes + stat.writebackBytes),
    unevictableAnonBytes,
    unevictableFileBytes: Math.min(fileBytes, unevictableBytes - unevictableAnonBytes),
    slabBytes: stat.slabReclaimableBytes,
  };
}

function lessOf(one: Footprint, other: Footprint): Footprint {
  const less = (field: keyof Footprint): number => Math.max(0, one[field] - other[field]);
  return {
    anonBytes: less('anonBytes'),
    fileBytes: less('fileBytes'),
    dirtyBytes: less('dirtyBytes'),
    unevictableAnonBytes: less('unevictableAnonBytes'),
    unevictableFileBytes: less('unevictableFileBytes'),
    slabBytes: less('slabBytes'),
  };
}

function pagesOf({ nodes }: SeenMemcg['listed']): ListedPages {
  let anonPages = 0;
  let filePages = 0;
  for (const { generations } of nodes)
    for (const generation of generations) {
      anonPages += generation.anonPages;
      filePages += generation.filePages;
    }
  return { anonPages, filePages };
}
