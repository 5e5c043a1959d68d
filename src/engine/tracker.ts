import { ColdpgsError } from '../errors.js';
import type { Memcg } from '../kernel/kernel.js';
import type { LruGenMemcg } from '../kernel/lru-gen.js';
import type { Log } from '../log.js';
import type { PageType } from './eviction.js';
import type { ReadLosses } from './read-losses.js';

/** Pages of one memcg, its own and none of its descendants', that are alike in how long they have been idle. */
export interface IdleCohort {
  readonly type: PageType;
  readonly node?: number;
  /** Base pages, at least 0. */
  readonly pages: number;
  /**
   * The last use lies between so long ago and so long ago, in milliseconds, as far as the tracker has seen up to its last look.
   * `idleAtLeastMs` is 0 for pages that were in use when the tracker last saw them: they may be in use still. `idleAtMostMs` is Infinity where nothing
   * is known. 0 <= idleAtLeastMs <= idleAtMostMs.
   */
  readonly idleAtLeastMs: number;
  readonly idleAtMostMs: number;
}

/** A live memcg in a listing of lru_gen, with its identity. Offline memcgs are left out: nobody can read files of theirs. */
export interface SeenMemcg {
  readonly memcg: Memcg;
  readonly listed: LruGenMemcg;
  /** Nothing of the memcg ran between its last aging and this time, on the engine's clock; undefined where an aging is the latest that is known. */
  readonly quietUntilMs?: number;
}

export const trackerNames = ['mglru', 'idle-page', 'damon'] as const;
export type TrackerName = (typeof trackerNames)[number];

/** A way to know how long pages have been idle. The aging clock drives it: one look a scan period, later where its budget says so. */
export interface Tracker {
  readonly name: TrackerName;
  /** What sees use of page cache through read(2): undefined where nothing does. */
  readonly readWitness: string | undefined;
  /** Takes what it needs of the kernel. Throws TRACKER_UNAVAILABLE with the reason where this kernel cannot run it. */
  start(): Promise<void>;
  /** Gives back what `start` took. Called once after `start`, also when that failed halfway. */
  stop(): Promise<void>;
  /** For what agings clear: the first part of a look, right before the agings of its round. Ends early, without an error, when `signal` is aborted. */
  beforeAgings?(atMs: number, signal: AbortSignal): Promise<void>;
  /**
   * One look. `seen` has every live memcg that is listed, parents before children; it replaces what was seen before, so memcgs that are not in it
   * are gone and may be forgotten. `atMs` is the engine's clock when the listing was made; it never goes backwards. Ends early,
   * without an error, when `signal` is aborted. `missing`: memcgs that were seen before and live, so that it is the listing that lacks them.
   */
  observe(seen: readonly SeenMemcg[], atMs: number, signal: AbortSignal, missing?: readonly Memcg[]): Promise<void>;
  /** What the last look knows of a memcg: [] where it has not been seen. Idle times are those at the last look. Costs no kernel work. */
  cohorts(memcg: Memcg): readonly IdleCohort[];
  /** What an eviction showed: that share (0 to 1) of the pages of a type that looked cold is in use. For trackers that cannot see all use themselves. */
  learn?(memcg: Memcg, type: PageType, usedShare: number): void;
  /** Watches what a run that begins now takes of page cache that was read within `idleMs`; undefined where it cannot tell. */
  watchReads?(memcg: Memcg, idleMs: number): Promise<ReadLosses | undefined>;
  /**
   * Pages of page cache that may have been idle for `idleMs` at `atMs`, where the kernel's generations hold some that is in use to be old; undefined where they
   * do not, or nothing is known.
   */
  idleFilePages?(memcg: Memcg, idleMs: number, atMs: number): number | undefined;
  /** The memcg's pages that are idle for `idleMs` at `atMs`, one by one; undefined for trackers that do not know them so. */
  idleFrames?(memcg: Memcg, idleMs: number, atMs: number): IdleFrames | undefined;
  /** Forgets all ages: the scan period was switched off for a while, and nothing was seen meanwhile. */
  forget(): void;
}

/** Pages of one memcg that have been idle for so long, by the frames that hold them. */
export interface IdleFrames {
  /**
   * Which of these frames (-1 for none) hold such a page of this type, and it has not been used up to this moment: at each index 1, else 0. Asks the kernel.
   * Throws KERNEL_REFUSED.
   */
  among(pfns: Float64Array, type: PageType): Promise<Uint8Array>;
}

/** Page cache of a memcg that was read again after it came in: the same pages by their last read, and by when they came. */
export interface ReadPageCache {
  readonly byRead: readonly IdleCohort[];
  readonly byArrival: readonly IdleCohort[];
}

/** Sees what agings cannot: page cache that is used through read(2). The mglru tracker corrects its page cache with it. */
export interface ReadWitness {
  readonly name: string;
  /** Throws TRACKER_UNAVAILABLE where this kernel cannot run it. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** One look, right before agings: they clear what it looks for. `seen` is of the look before this one, the agings before it included. */
  observe(seen: readonly SeenMemcg[], atMs: number, signal: AbortSignal): Promise<void>;
  /** What the last look knows of the memcg's page cache, of which there are `filePages`; undefined where it does not know. Costs no kernel work. */
  readPageCache(memcg: Memcg, filePages: number): ReadPageCache | undefined;
  /** Pages of the memcg's page cache, of which there are `filePages`, that page tables map; undefined where it does not know. */
  mappedPages(memcg: Memcg, filePages: number): number | undefined;
  /** Watches what a run that begins now takes of page cache that was read within `idleMs`; undefined where it cannot tell. */
  watchReads(memcg: Memcg, idleMs: number): Promise<ReadLosses | undefined>;
  /** Forgets all ages: nothing was seen for a while. */
  forget(): void;
}

/** The witness, started; undefined, with a line in the log, where this kernel cannot run it. */
export async function startedWhereItCan(witness: ReadWitness | undefined, log: Log): Promise<ReadWitness | undefined> {
  try {
    await witness?.start();
    return witness;
  } catch (failure) {
    if (!(failure instanceof ColdpgsError && failure.code === 'TRACKER_UNAVAILABLE')) throw failure;
    log.warn({}, failure.message);
    return undefined;
  }
}
