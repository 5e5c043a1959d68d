import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import type { LruGenMemcg } from '../kernel/lru-gen.js';
import type { Log } from '../log.js';
import { footprintOf, Footprints } from './footprints.js';
import { type Buckets, bytesByType, cappedHistogram, histogramOf, scannedRows } from './histogram.js';
import {
  type Account,
  areSameBuckets,
  type IdleStats,
  IdleStatsAccounts,
  type MemcgBuckets,
  type RoundResult,
} from './idle-stats.js';
import { childPath, parentOf } from '../kernel/lineage.js';
import { inSlices } from './slices.js';
import type { SeenMemcg, Tracker } from './tracker.js';

/** Of so many memcgs what is shown is kept until it changes, for clients that read the same ones again and again. */
const mostKept = 256;

/** What is shown of a memcg before it is cut to what the memcg has at the moment. */
interface Shown {
  readonly stats: IdleStats;
  readonly bytes: ReturnType<typeof bytesByType>;
}

/** Bits of scan_target. */
export const scanTargetBits = { pages: 0x1, slab: 0x2 } as const;

/** What kidled must know of the engine around it. */
export interface KidledSurroundings {
  /** The scan period in milliseconds; 0 is off. */
  periodMs(): number;
  /** Milliseconds that reading memory.stat may take in one round. */
  statBudgetMs(): number;
}

/**
 * The accounting of kidled: at each look of the aging clock the tracker's cohorts become the histograms that memory.idle_page_stats shows until the
 * next one.
 */
export class Kidled {
  #useHierarchy: 0 | 1 = 0;
  #scanTarget = scanTargetBits.pages as number;
  readonly #accounts: IdleStatsAccounts;
  readonly #footprints: Footprints;
  readonly #listeners = new Set<() => void>();
  /** What was shown since the last change, by memcg. */
  readonly #shown = { own: new Map<bigint, Shown>(), tree: new Map<bigint, Shown>() };

  constructor(
    private readonly kernel: Kernel,
    clock: Clock,
    private readonly tracker: Tracker,
    log: Log,
    private readonly surroundings: KidledSurroundings,
  ) {
    this.#accounts = new IdleStatsAccounts((path) => kernel.memcgs.at(path));
    this.#footprints = new Footprints(kernel, clock, log);
  }

  /** Calls `tell` after each look and each reset, and when something was reclaimed, until the function that it returns is called. */
  onChange(tell: () => void): () => void {
    const listener = (): void => tell();
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  get useHierarchy(): 0 | 1 {
    return this.#useHierarchy;
  }

  /** Resets all statistics, also when it is what it was. */
  set useHierarchy(value: 0 | 1) {
    this.#useHierarchy = value;
    this.#accounts.resetAll();
    this.#changed();
  }

  /** Bits of {@link scanTargetBits}, 1 to 3. */
  get scanTarget(): number {
    return this.#scanTarget;
  }

  /** What is not scanned any more shows zeros at once. */
  set scanTarget(value: number) {
    this.#scanTarget = value;
    if (!(value & scanTargetBits.pages)) this.#accounts.stopScanning('pages');
    if (!(value & scanTargetBits.slab)) this.#accounts.stopScanning('slab');
    this.#changed();
  }

  /** The scan period was written: all statistics are zero until a whole round has ended; nothing is remembered over a time without one. */
  periodWritten(): void {
    this.#accounts.resetAll();
    if (this.surroundings.periodMs() === 0) this.tracker.forget();
    this.#changed();
  }

  bucketsOf(memcg: Memcg): Buckets {
    return this.#accounts.bucketsOf(memcg);
  }

  /** Resets the statistics of the memcg, also when the buckets are what they were. None: accounting is off for it. */
  setBuckets(memcg: Memcg, buckets: Buckets): void {
    // A memcg has the buckets that its parent had when it was made: those that no look has seen yet were made before this write.
    if (!areSameBuckets(buckets, this.#accounts.bucketsOf(memcg)))
      this.#accounts.admit(descendantsOf(memcg, this.kernel.memcgs));
    this.#accounts.setBuckets(memcg, [...buckets]);
    this.#changed();
  }

  customBuckets(): MemcgBuckets[] {
    return this.#accounts.customBuckets();
  }

  /** Takes over what {@link customBuckets} said in an earlier daemon: the others inherit from these. */
  restoreBuckets(custom: readonly MemcgBuckets[]): void {
    const parentsFirst = custom.toSorted((one, other) => (one.memcg.path < other.memcg.path ? -1 : 1));
    for (const { memcg, buckets } of parentsFirst) this.#accounts.setBuckets(memcg, buckets);
    this.#changed();
  }

  /**
   * What memory.idle_page_stats of a memcg shows: of its own pages, or of its descendants' as well. From the last look; only cut to what the memcg has
   * at this moment by memory.stat, so that a client can subtract one from the other. The same object as before where nothing has changed.
   */
  stats(memcg: Memcg, scope: 'own' | 'tree'): IdleStats {
    const { stats, bytes } = this.#scanned(memcg, scope);
    if (bytes.anon + bytes.file === 0) return stats;
    const caps = footprintOf(this.kernel.memory.statNow(memcg.path, scope));
    const histogram = cappedHistogram(stats.histogram, stats.buckets.length, caps, this.kernel.pageBytes, bytes);
    return histogram === stats.histogram ? stats : { ...stats, histogram };
  }

  /** What the last look found of what is scanned. */
  #scanned(memcg: Memcg, scope: 'own' | 'tree'): Shown {
    const kept = this.#shown[scope];
    const known = kept.get(memcg.inode);
    if (known) return known;
    const stats = this.#accounts.stats(memcg, scope);
    const columns = stats.buckets.length;
    const { pages, slab } = this.#targets();
    const histogram = scannedRows(stats.histogram, columns, pages, slab);
    const shown = { stats: { ...stats, histogram }, bytes: bytesByType(histogram, columns) };
    if (kept.size >= mostKept) kept.clear();
    kept.set(memcg.inode, shown);
    return shown;
  }

  /** So many bytes of a memcg's own were reclaimed just now. */
  evicted(memcg: Memcg, type: 'anon' | 'file', bytes: number): void {
    if (bytes <= 0) return;
    this.#accounts.evicted(memcg, type, bytes);
    this.#changed();
  }

  /** One look, the end of a round. */
  async look(seen: readonly SeenMemcg[], atMs: number, signal: AbortSignal): Promise<void> {
    const { accounts, missing } = this.#admit(seen);
    const period = { periodMs: this.surroundings.periodMs(), pageBytes: this.kernel.pageBytes };
    await this.tracker.observe(seen, atMs, signal, missing);
    if (this.surroundings.periodMs() === 0) return this.tracker.forget();
    const inUse = await this.#footprints.refresh(seen, this.surroundings.statBudgetMs(), signal);
    if (signal.aborted) return;
    // A listing may lack memcgs that live: what they had is their parent's own as little as before.
    const childrenOf = childrenByPath([
      ...inUse.map(({ memcg }) => memcg),
      ...missing.filter((memcg) => this.#footprints.knows(memcg)),
    ]);
    const results: RoundResult[] = [];
    await inSlices(seen, ({ memcg, listed }) => {
      const account = accounts[results.length];
      if (!account) return;
      const { buckets } = account;
      const cohorts = buckets.length > 0 ? this.tracker.cohorts(memcg) : [];
      const footprint = this.#footprints.of(memcg, childrenOf.get(memcg.path) ?? []);
      const histogram =
        cohorts.length > 0 || footprint
          ? histogramOf(cohorts, activeAnonPages(listed), footprint, buckets, period)
          : undefined;
      results.push({ account, histogram, buckets });
    });
    this.#accounts.endRound(results, this.#targets());
    this.#changed();
  }

  /** The accounts of what is seen, and memcgs that live and are not; those that are gone are forgotten. */
  #admit(seen: readonly SeenMemcg[]): { readonly accounts: readonly Account[]; readonly missing: readonly Memcg[] } {
    const memcgs = seen.map(({ memcg }) => memcg);
    const accounts = this.#accounts.admit(memcgs);
    const isLive = ({ path, inode }: Memcg): boolean => this.kernel.memcgs.at(path)?.inode === inode;
    const { gone, live: missing } = this.#accounts.keepOnly(memcgs, isLive);
    this.#footprints.forget(gone);
    return { accounts, missing };
  }

  #targets(): { readonly pages: boolean; readonly slab: boolean } {
    return {
      pages: (this.#scanTarget & scanTargetBits.pages) !== 0,
      slab: (this.#scanTarget & scanTargetBits.slab) !== 0,
    };
  }

  #forgetShown(): void {
    for (const kept of Object.values(this.#shown)) kept.clear();
  }

  #changed(): void {
    this.#forgetShown();
    for (const tell of this.#listeners) tell();
  }
}

/** The live memcgs below one, parents before children. */
function descendantsOf({ path }: Memcg, memcgs: Kernel['memcgs']): Memcg[] {
  const below: Memcg[] = [];
  const paths = [path];
  // Children are added to `paths` behind their parent while it is walked.
  for (const parent of paths)
    for (const name of memcgs.childNames(parent)) {
      const child = memcgs.at(childPath(parent, name));
      if (!child) continue;
      below.push(child);
      paths.push(child.path);
    }
  return below;
}

/** What the kernel counts as active: the two youngest generations. */
function activeAnonPages({ nodes }: LruGenMemcg): number {
  let pages = 0;
  for (const { generations } of nodes)
    pages += (generations.at(-1)?.anonPages ?? 0) + (generations.at(-2)?.anonPages ?? 0);
  return pages;
}

function childrenByPath(memcgs: readonly Memcg[]): Map<string, Memcg[]> {
  const children = new Map<string, Memcg[]>();
  for (const memcg of memcgs) {
    if (memcg.path === '/') continue;
    const parent = parentOf(memcg.path);
    const known = children.get(parent);
    if (known) known.push(memcg);
    else children.set(parent, [memcg]);
  }
  return children;
}
