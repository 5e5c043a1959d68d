import { ColdpgsError } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import type { SeenMemcg } from './tracker.js';

export interface MappedSurroundings {
  readonly kernel: Pick<Kernel, 'memcgs' | 'processes' | 'pageBytes'>;
  readonly clock: Clock;
  /** The scan period in milliseconds; 0 is off. */
  periodMs(): number;
  /** How much of one core it may take, in percent. */
  readonly cpuPercent: number;
}

/** So few pages are not worth a walk. */
const fewPages = 256;

/** For so many looks a memcg is taken to use as much as when it was last looked at: others have their turn meanwhile. */
const looksBelieved = 4;

/** A look is to be one moment, however large the budget: at most so much of a period, in percent. */
const mostPercent = 5;

/**
 * Mapped page cache in use that agings do not promote. From 6.14 on an aging that finds a page used for the first time only sets PG_referenced
 * (folio_update_gen in mm/vmscan.c), and folding the oldest generation, in the same aging, clears it again: what has come into the oldest
 * generation stays there however hot it is. The accessed bits themselves, counted by /proc/PID/smaps right before an aging, still show the use.
 *
 * Only memcgs are looked at that have more mapped page cache than their young generations can hold, those first that were not for the longest.
 */
export class MappedWitness {
  readonly name = 'smaps';
  #usedPages = new Map<bigint, number>();
  #lookedAt = new Map<bigint, number>();
  #look = 0;

  constructor(private readonly surroundings: MappedSurroundings) {}

  /** One look, right before agings. `mappedPages` is what a memcg has of mapped page cache, undefined where that is not known. */
  async observe(
    seen: readonly SeenMemcg[],
    mappedPages: (seen: SeenMemcg) => number | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, cpuPercent } = this.surroundings;
    this.#look++;
    const worth = seen.filter((one) => (mappedPages(one) ?? 0) - youngFilePages(one) > fewPages);
    const lookedAt = (one: SeenMemcg): number => this.#lookedAt.get(one.memcg.inode) ?? 0;
    worth.sort((one, other) => lookedAt(one) - lookedAt(other));
    this.#lookedAt = new Map(worth.map((one) => [one.memcg.inode, lookedAt(one)]));
    for (const inode of this.#usedPages.keys())
      if (this.#look - (this.#lookedAt.get(inode) ?? 0) > looksBelieved) this.#usedPages.delete(inode);
    const budgetMs = (this.surroundings.periodMs() * Math.min(cpuPercent, mostPercent)) / 100;
    let spentMs = 0;
    for (const one of worth) {
      if (signal.aborted || spentMs > budgetMs) return;
      const beganMs = clock.nowMs();
      const pages = await this.#referencedPages(one.memcg);
      spentMs += clock.nowMs() - beganMs;
      this.#usedPages.set(one.memcg.inode, Math.min(pages, mappedPages(one) ?? 0));
      this.#lookedAt.set(one.memcg.inode, this.#look);
    }
  }

  /** Pages of the memcg's mapped page cache that are used from one aging to the next; undefined where it did not look lately. */
  usedPages({ inode }: Memcg): number | undefined {
    return this.#usedPages.get(inode);
  }

  async #referencedPages({ path }: Memcg): Promise<number> {
    const { memcgs, processes, pageBytes } = this.surroundings.kernel;
    let bytes = 0;
    try {
      for (const pid of await memcgs.tasks(path)) bytes += await processes.referencedFileBytes(pid);
    } catch (failure) {
      // A memcg that is gone has nothing in use.
      if (!(failure instanceof ColdpgsError && failure.code === 'MEMCG_GONE')) throw failure;
    }
    return Math.floor(bytes / pageBytes);
  }
}

/** Page cache in the two youngest generations. */
export function youngFilePages({ listed }: SeenMemcg): number {
  return listed.nodes
    .flatMap(({ generations }) => generations.slice(-2))
    .reduce((sum, { filePages }) => sum + filePages, 0);
}
