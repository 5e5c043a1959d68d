import { ColdpgsError } from '../errors.js';
import type { DamonPlan, DamonStat } from '../kernel/damon.js';
import type { Memcg } from '../kernel/kernel.js';
import type { LruGenMemcg } from '../kernel/lru-gen.js';
import { bandCohorts, bandSchemes, intervalsPerPeriod, type ListedPages } from './damon-bands.js';
import { followedMemcgs } from './followed-memcgs.js';
import type { IdleCohort, SeenMemcg, Tracker } from './tracker.js';
import type { TrackerSurroundings } from './tracker-surroundings.js';

/** DAMON walks the pages of a band once for each memcg: it knows so many memcgs. */
const mostMemcgs = 16;

/** A sample shows any use since the one before, so few tell as much as many, and each walks the reverse mappings of a page of every region. */
const samplesPerInterval = 5;
/** Below a millisecond DAMON would do little else. */
const shortestSampleMs = 5;
/** How DAMON may cut memory into regions: each is sampled by one page. */
const regions = [100, 4000] as const;

/** Without a scan period there is nothing to count by; DAMON looks seldom then. */
const idlePeriodMs = 60_000;

/**
 * Page ages as DAMON sees them: a kdamond of coldpgs's own samples physical memory, and `stat` schemes count what its filters let pass of each
 * memcg's idle regions, by band of idle time. It sees use through page tables only, and ages of regions, not of pages: what is
 * small between other memory is lost in it.
 *
 * The kdamond is on loan from the machine: whatever way the daemon ends, it is turned off and taken away.
 */
export class DamonTracker implements Tracker {
  readonly name = 'damon';
  readonly readWitness = undefined;
  readonly #loans: (() => void)[] = [];
  #followed: readonly Memcg[] = [];
  #planPeriodMs = 0;
  #regionBytes = 0;
  #before: readonly DamonStat[] | undefined;
  #cohorts = new Map<bigint, readonly IdleCohort[]>();

  constructor(private readonly surroundings: TrackerSurroundings) {}

  async start(): Promise<void> {
    const { kernel, borrowed } = this.surroundings;
    const obstacle = await kernel.damon.obstacle();
    if (obstacle !== undefined) throw cannotRun(obstacle);
    try {
      this.#loans.push(borrowed.borrow(kernel.damon.countFile, '1'));
      const plan = this.#plan([]);
      this.#regionBytes = await kernel.damon.configure(plan);
      this.#loans.push(borrowed.borrow(kernel.damon.stateFile, 'on'));
    } catch (refusal) {
      throw cannotRun('the kernel refused it', refusal);
    }
  }

  async stop(): Promise<void> {
    for (const giveBack of this.#loans.splice(0).reverse()) giveBack();
    this.forget();
  }

  forget(): void {
    this.#before = undefined;
    this.#cohorts = new Map();
  }

  async observe(seen: readonly SeenMemcg[], _atMs: number, signal: AbortSignal): Promise<void> {
    const { kernel, periodMs } = this.surroundings;
    if (this.#loans.length === 0 || signal.aborted) return;
    const sizes = seen.map(({ memcg, listed }) => {
      const { anon, file } = listedPages(listed);
      return { memcg, pages: anon + file };
    });
    const followed = followedMemcgs(sizes, this.#followed, mostMemcgs).map(({ memcg }) => memcg);
    const inodes = new Set(followed.map(({ inode }) => inode));
    for (const inode of this.#cohorts.keys()) if (!inodes.has(inode)) this.#cohorts.delete(inode);
    if (!areSame(followed, this.#followed) || this.#planPeriodMs !== periodMs()) {
      const plan = this.#plan(followed);
      await kernel.damon.replaceSchemes(plan);
      this.#followed = followed;
      this.#before = await kernel.damon.stats(plan.schemes.length);
      return;
    }
    const now = await kernel.damon.stats(bandSchemes(followed).length);
    const before = this.#before ?? now;
    let isApplied = false;
    const listedByInode = new Map(seen.map(({ memcg, listed }) => [memcg.inode, listedPages(listed)]));
    for (const [index, { inode }] of followed.entries()) {
      const listed = listedByInode.get(inode);
      const machine = { regionBytes: this.#regionBytes, pageBytes: kernel.pageBytes, periodMs: this.#planPeriodMs };
      const cohorts = listed && bandCohorts(before, now, index, listed, machine);
      if (!cohorts) continue;
      isApplied = true;
      this.#cohorts.set(inode, cohorts);
    }
    if (isApplied || this.#before === undefined) this.#before = now;
  }

  cohorts({ inode }: Memcg): readonly IdleCohort[] {
    return this.#cohorts.get(inode) ?? [];
  }

  #plan(memcgs: readonly Memcg[]): DamonPlan {
    const periodMs = this.surroundings.periodMs();
    this.#planPeriodMs = periodMs;
    const aggregationMs = (periodMs || idlePeriodMs) / intervalsPerPeriod;
    return {
      sampleUs: Math.round(Math.max(shortestSampleMs, aggregationMs / samplesPerInterval) * 1000),
      aggregationUs: Math.round(aggregationMs * 1000),
      applyUs: Math.round((periodMs || idlePeriodMs) * 1000),
      regions,
      schemes: bandSchemes(memcgs),
    };
  }
}

function cannotRun(reason: string, cause?: unknown): ColdpgsError {
  return new ColdpgsError(
    'TRACKER_UNAVAILABLE',
    'EOPNOTSUPP',
    `The tracker damon cannot run: ${reason}. Or use --tracker mglru.`,
    cause,
  );
}

function areSame(some: readonly Memcg[], others: readonly Memcg[]): boolean {
  return some.length === others.length && some.every(({ inode }, index) => inode === others[index]?.inode);
}

function listedPages({ nodes }: LruGenMemcg): ListedPages {
  const sum = { anon: 0, file: 0 };
  for (const { generations } of nodes)
    for (const { anonPages, filePages } of generations) {
      sum.anon += anonPages;
      sum.file += filePages;
    }
  return sum;
}
