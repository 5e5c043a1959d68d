import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import { type LruGenMemcg, OFFLINE_ID } from '../kernel/lru-gen.js';
import type { ReclaimedTypes } from '../kernel/memory-reclaim.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import type { BorrowedSettings } from './borrowed-settings.js';
import { newestProvenSeq, pagesUpTo } from './coldness.js';
import type { Eviction, PageType } from './eviction.js';
import type { Ledger } from './ledger.js';
import { pagesField } from './reclaim-plan.js';
import { fewPages } from './run.js';
import { isBelow, parentOf } from '../kernel/lineage.js';

/** The first command of a run: small, since only what it took tells where it took it. */
const firstPages = 4 * fewPages;
/** Where less than this share of what a command freed was of removed memcgs, the run ends. */
const leastShare = 0.5;

/** Removed memcgs whose pages the nearest living ancestor's memory.reclaim reaches. */
interface Orphans {
  readonly ancestor: Memcg;
  readonly paths: ReadonlySet<string>;
  readonly coldPages: number;
}

/**
 * The pages of memcgs that were removed while they had some (before Linux 7.0; later their parent gets them). No command of lru_gen reaches those; memory.reclaim of
 * an ancestor takes them first, but living memcgs' pages as well when it finds too few. So it is asked for what is listed as cold of
 * the removed ones, by steps, as long as that is what goes.
 */
export class OfflineMemcgs {
  /** Since when no more of that path were removed: so long nobody of theirs has used a page. */
  #since = new Map<string, { readonly count: number; readonly sinceMs: number }>();

  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    private readonly eviction: Eviction,
    private readonly ledger: Ledger,
    private readonly borrowed: BorrowedSettings,
    private readonly log: Log,
  ) {}

  /** Takes note of a listing. */
  observe(listed: readonly LruGenMemcg[], atMs: number): void {
    const counts = new Map<string, number>();
    for (const { id, path } of listed) if (id === OFFLINE_ID) counts.set(path, (counts.get(path) ?? 0) + 1);
    const before = this.#since;
    this.#since = new Map(
      [...counts].map(([path, count]) => {
        const known = before.get(path);
        return [path, { count, sinceMs: known && known.count >= count ? known.sinceMs : atMs }];
      }),
    );
  }

  /**
   * Frees what removed memcgs below a path have that is idle for `idleMs`. `typesOf` answers what the living ancestor's mode allows. Answers sentences
   * on what could not be done. Throws KERNEL_REFUSED; what was freed until then is in the ledger, under the nearest living ancestor.
   */
  async reclaim(
    below: string,
    idleMs: number,
    stepPages: number,
    typesOf: (memcg: Memcg) => Promise<readonly PageType[]>,
    signal: AbortSignal,
  ): Promise<string[]> {
    const obstacles: string[] = [];
    const listed = (await this.kernel.lruGen.read()).filter(
      ({ id, path }) => id === OFFLINE_ID && isBelow(path, below),
    );
    for (const [ancestor, orphans] of this.#byAncestor(listed)) {
      const types = await typesOf(ancestor);
      const cold = orphans.reduce((sum, one) => sum + this.#coldPages(one, types, idleMs), 0);
      if (cold < fewPages || signal.aborted) continue;
      const obstacle = await this.#run(
        { ancestor, paths: new Set(orphans.map(({ path }) => path)), coldPages: cold },
        types,
        stepPages,
        signal,
      );
      if (obstacle !== undefined) obstacles.push(`below ${toText(ancestor.path)}: ${obstacle}`);
    }
    return obstacles;
  }

  /** Answers why there is something left; undefined when there is not, or not much. */
  async #run(
    { ancestor, paths, coldPages }: Orphans,
    types: readonly PageType[],
    stepPages: number,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const hold = this.#hold(ancestor, types);
    if (typeof hold === 'string')
      return `${Math.floor((coldPages * this.kernel.pageBytes) / 1024)} kB of removed memcgs were left: ${hold}`;
    try {
      let left = coldPages;
      for (
        let asked = Math.min(left, firstPages);
        left >= fewPages && !signal.aborted;
        asked = Math.min(left, stepPages)
      ) {
        const before = await this.#pagesOf(paths, types);
        const freed = await this.eviction.reclaimBelow(ancestor, asked, hold.types, signal);
        this.ledger.add(ancestor, freed.rows);
        const fell = before - (await this.#pagesOf(paths, types));
        this.log.debug(
          { memcg: toText(ancestor.path), asked, freed: freed.freedPages, fell },
          'reclaimed of removed memcgs',
        );
        if (fell < freed.freedPages * leastShare)
          return 'the kernel took more of living memcgs than of removed ones: the rest of those was left';
        if (fell < fewPages) break;
        left -= fell;
      }
      return undefined;
    } finally {
      hold.release();
    }
  }

  /** How the kernel is held to the types that are allowed, or why it cannot be. */
  #hold(
    { path }: Memcg,
    types: readonly PageType[],
  ): string | { readonly types: ReclaimedTypes; readonly release: () => void } {
    const { holdsTo } = this.kernel.memoryReclaim;
    if (holdsTo.length === 0) return 'there is no memory.reclaim (it takes cgroup v2)';
    const wanted = types.length === 2 ? 'both' : (types[0] ?? 'both');
    if (holdsTo.includes(wanted)) return { types: wanted, release: () => undefined };
    const limit = wanted === 'file' ? this.kernel.settings.memcgFile(path, 'memory.swap.max') : undefined;
    if (limit === undefined)
      return `this kernel cannot be held to ${wanted === 'file' ? 'page cache' : 'anonymous memory'} there`;
    return { types: 'both', release: this.borrowed.borrow(limit, '0') };
  }

  #byAncestor(listed: readonly LruGenMemcg[]): Map<Memcg, LruGenMemcg[]> {
    const ancestors = new Map<string, Memcg>();
    const orphans = new Map<Memcg, LruGenMemcg[]>();
    for (const one of listed) {
      const memcg = this.#livingAbove(one.path);
      if (!memcg) continue;
      const known = ancestors.get(memcg.path) ?? memcg;
      ancestors.set(known.path, known);
      orphans.set(known, [...(orphans.get(known) ?? []), one]);
    }
    return orphans;
  }

  #livingAbove(path: string): Memcg | undefined {
    for (let at = path; at !== '/';) {
      at = parentOf(at);
      const memcg = this.kernel.memcgs.at(at);
      if (memcg) return memcg;
    }
    return undefined;
  }

  /** All of it where it was removed long enough ago, else what a border proved before. */
  #coldPages({ path, nodes }: LruGenMemcg, types: readonly PageType[], idleMs: number): number {
    const since = this.#since.get(path);
    const allOfIt = since !== undefined && this.clock.nowMs() - since.sinceMs >= idleMs;
    let pages = 0;
    for (const { generations } of nodes) {
      const seq = allOfIt ? generations.at(-1)?.seq : newestProvenSeq(generations, idleMs);
      if (seq !== undefined) for (const type of types) pages += pagesUpTo(generations, seq, pagesField(type));
    }
    return pages;
  }

  async #pagesOf(paths: ReadonlySet<string>, types: readonly PageType[]): Promise<number> {
    const listed = await this.kernel.lruGen.read();
    let pages = 0;
    for (const { id, path, nodes } of listed)
      if (id === OFFLINE_ID && paths.has(path))
        for (const { generations } of nodes)
          for (const generation of generations) for (const type of types) pages += generation[pagesField(type)];
    return pages;
  }
}
