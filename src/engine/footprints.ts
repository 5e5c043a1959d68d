import { ColdpgsError, sentenceOf } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import { parentOf } from '../kernel/lineage.js';
import { hasPages } from '../kernel/lru-gen.js';
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
  /** There is nothing in it that a row of the histogram would say. */
  readonly isZero: boolean;
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

/** Of the memcgs where nothing was found so many are looked into again at a look, in turn: slab and locked memory come without a trace in the listing. */
const emptyMemcgsALook = 64;

/**
 * memory.stat of memcgs, as far as the rows of the histogram need it: what is dirty, unevictable, slab. Read at a look for memcgs whose pages changed,
 * as many as fit in a time; the others follow at the next looks. A machine may have thousands of memcgs without a page on a list. Those are read once, and
 * again as often as others where there was something; the rest, which is nearly all, only in turn.
 */
export class Footprints {
  readonly #readings = new Map<bigint, Reading>();
  #look = 0;
  /** Empty memcgs that had their turn so far. */
  #turns = 0;

  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /**
   * Reads what is out of date, those that wait longest first, then memcgs without pages, for at most `atMostMs`. Answers those that have something, as far as
   * is known, and their ancestors.
   */
  async refresh(seen: readonly SeenMemcg[], atMostMs: number, signal: AbortSignal): Promise<SeenMemcg[]> {
    this.#look++;
    const endMs = this.clock.nowMs() + atMostMs;
    const withPages = pathsUpFrom(seen.filter(({ listed }) => hasPages(listed)));
    const withReadings = pathsUpFrom(seen.filter((one) => this.#hasSomething(one)));
    const isInUse = ({ memcg: { path } }: SeenMemcg): boolean => withPages.has(path) || withReadings.has(path);
    const due = seen
      .filter((one) => isInUse(one) && this.#isDue(one, withReadings))
      .sort((one, other) => this.#readAt(one.memcg) - this.#readAt(other.memcg));
    const empty = seen.filter((one) => !isInUse(one));
    const unread = empty.filter(({ memcg }) => !this.#readings.has(memcg.inode));
    const inTurn = this.#inTurn(empty);
    let place = 0;
    for (const one of [...due, ...unread, ...inTurn]) {
      if (signal.aborted || this.clock.nowMs() > endMs) break;
      if (place++ >= due.length + unread.length) this.#turns++;
      if (this.#readAt(one.memcg) === this.#look) continue;
      await this.#read(one);
      if (this.#hasSomething(one)) addPathsUp(one.memcg.path, withReadings);
    }
    return seen.filter(isInUse);
  }

  /**
   * The memcg's own memory. memory.stat of cgroup v2 includes the descendants: what `children` have of it is taken off, and where one of them has
   * not been read yet, nothing is said. `children`: of those that `refresh` answered. undefined where nothing is known, or there is nothing.
   */
  of(memcg: Memcg, children: readonly Memcg[]): Footprint | undefined {
    const own = this.#readings.get(memcg.inode);
    if (!own || own.isZero) return undefined;
    if (!own.includesDescendants) return own.footprint;
    let { footprint } = own;
    for (const child of children) {
      const reading = this.#readings.get(child.inode);
      if (!reading) return undefined;
      footprint = lessOf(footprint, reading.footprint);
    }
    return footprint;
  }

  /** Whether something is known of a memcg. */
  knows({ inode }: Memcg): boolean {
    return this.#readings.has(inode);
  }

  forget(memcgs: readonly Memcg[]): void {
    for (const { inode } of memcgs) this.#readings.delete(inode);
  }

  async #read({ memcg, listed }: SeenMemcg): Promise<void> {
    try {
      const stat = await this.kernel.memory.stat(memcg.path);
      const footprint = footprintOf(stat);
      this.#readings.set(memcg.inode, {
        footprint,
        isZero: isZero(footprint),
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

  /** Those of the empty memcgs whose turn it is. */
  #inTurn(empty: readonly SeenMemcg[]): SeenMemcg[] {
    const first = empty.length > 0 ? this.#turns % empty.length : 0;
    return [...empty.slice(first), ...empty.slice(0, first)].slice(0, emptyMemcgsALook);
  }

  #hasSomething({ memcg }: SeenMemcg): boolean {
    return this.#readings.get(memcg.inode)?.isZero === false;
  }

  /** `withReadings`: paths of memcgs where something was found, and of their ancestors. */
  #isDue({ memcg, listed }: SeenMemcg, withReadings: ReadonlySet<string>): boolean {
    const reading = this.#readings.get(memcg.inode);
    if (!reading) return true;
    // Something was found below since, which it must have as well.
    if (reading.isZero && reading.includesDescendants && withReadings.has(memcg.path)) return true;
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

function isZero({ dirtyBytes, unevictableAnonBytes, unevictableFileBytes, slabBytes }: Footprint): boolean {
  return dirtyBytes + unevictableAnonBytes + unevictableFileBytes + slabBytes === 0;
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

function pathsUpFrom(memcgs: readonly SeenMemcg[]): Set<string> {
  const paths = new Set<string>();
  for (const { memcg } of memcgs) addPathsUp(memcg.path, paths);
  return paths;
}

/** Adds a path and those of its ancestors, unless they are there. */
function addPathsUp(from: string, paths: Set<string>): void {
  for (let path = from; !paths.has(path); path = parentOf(path)) paths.add(path);
}
