import { ColdpgsError, sentenceOf } from '../errors.js';
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

/**
 * Page ages as DAMON sees them: a kdamond of coldpgs's own samples physical memory, and `stat` schemes count what its filters let pass of each
 * memcg's idle regions, by band of idle time. It sees use through page tables only, and ages of regions, not of pages: what is
 * small between other memory is lost in it.
 *
 * The kdamond is on loan from the machine: whatever way the daemon ends, it is turned off and taken away. It is there from a look on until the scan period
 * is 0. Once somebody else has turned it off DAMON is left alone, until the scan period has been 0 or the daemon starts again.
 */
export class DamonTracker implements Tracker {
  readonly name = 'damon';
  readonly readWitness = undefined;
  #phase: 'not started' | 'started' | 'lost' = 'not started';
  /** What gives the kdamond back: nothing while there is none. */
  readonly #loans: (() => void)[] = [];
  #pid = '';
  #turn: Promise<void> = Promise.resolve();
  #saidWhyOff = false;
  #followed: readonly Memcg[] = [];
  #planPeriodMs = 0;
  #regionBytes = 0;
  #before: readonly DamonStat[] | undefined;
  #cohorts = new Map<bigint, readonly IdleCohort[]>();

  constructor(private readonly surroundings: TrackerSurroundings) {}

  /** Without a scan period only looks whether the kdamond could be had. */
  async start(): Promise<void> {
    const periodMs = this.surroundings.periodMs();
    await (periodMs === 0 ? this.#demandDamon() : this.#turnOn(periodMs));
    this.#phase = 'started';
  }

  stop(): Promise<void> {
    this.#phase = 'not started';
    return this.#inTurn(() => this.#end());
  }

  forget(): void {
    this.#forgetCounts();
    this.#inTurn(() => {
      if (this.#phase === 'lost') this.#phase = 'started';
      this.#end();
    }).catch((failure: unknown) => {
      this.surroundings.log.error({ failure: sentenceOf(failure) }, 'the kdamond cannot be turned off');
    });
  }

  observe(seen: readonly SeenMemcg[], _atMs: number, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      const periodMs = this.surroundings.periodMs();
      if (periodMs === 0 || this.#phase !== 'started' || signal.aborted || !(await this.#isOn(periodMs))) return;
      try {
        await this.#look(seen, periodMs);
      } catch (failure) {
        if (!(failure instanceof ColdpgsError && failure.code === 'TRACKER_UNAVAILABLE')) throw failure;
        this.#phase = 'lost';
        this.#turnOff();
        this.surroundings.log.error({ failure: sentenceOf(failure) }, 'the tracker damon shows no ages any more');
      }
    });
  }

  cohorts({ inode }: Memcg): readonly IdleCohort[] {
    return this.#cohorts.get(inode) ?? [];
  }

  /** A kdamond is not turned off in the middle of a look. */
  #inTurn(act: () => void | Promise<void>): Promise<void> {
    const turn = this.#turn.then(act);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Turns the kdamond on where it is off. What stands in the way is said once. */
  async #isOn(periodMs: number): Promise<boolean> {
    if (this.#loans.length > 0) return true;
    try {
      await this.#turnOn(periodMs);
      this.#saidWhyOff = false;
      return true;
    } catch (failure) {
      if (!this.#saidWhyOff)
        this.surroundings.log.error({ failure: sentenceOf(failure) }, 'the tracker damon shows no ages for now');
      this.#saidWhyOff = true;
      return false;
    }
  }

  async #demandDamon(): Promise<void> {
    const obstacle = await this.surroundings.kernel.damon.obstacle();
    if (obstacle !== undefined) throw cannotRun(obstacle);
  }

  async #turnOn(periodMs: number): Promise<void> {
    await this.#demandDamon();
    const { kernel, borrowed } = this.surroundings;
    const { countFile, stateFile, pidFile } = kernel.damon;
    try {
      this.#loans.push(borrowed.borrow(countFile, '1'));
      this.#regionBytes = await kernel.damon.configure(planOf([], periodMs));
      this.#loans.push(borrowed.borrow(stateFile, 'on'));
      this.#pid = kernel.settings.read(pidFile) ?? '';
      borrowed.bind([countFile, stateFile], { file: pidFile, value: this.#pid });
    } catch (refusal) {
      this.#turnOff();
      throw cannotRun('the kernel refused it', refusal);
    }
    this.#planPeriodMs = periodMs;
  }

  #end(): void {
    const { kernel, log } = this.surroundings;
    if (this.#loans.length > 0 && kernel.settings.read(kernel.damon.pidFile) !== this.#pid)
      log.warn({ pid: this.#pid }, 'somebody turned off the kdamond of coldpgs: DAMON is left as it is');
    this.#turnOff();
  }

  /** Leaves alone what is not the own kdamond any more: its loans are bound to it. */
  #turnOff(): void {
    this.#forgetCounts();
    this.#followed = [];
    for (const giveBack of this.#loans.splice(0).reverse()) giveBack();
  }

  #forgetCounts(): void {
    this.#before = undefined;
    this.#cohorts = new Map();
  }

  async #look(seen: readonly SeenMemcg[], periodMs: number): Promise<void> {
    const { kernel } = this.surroundings;
    const sizes = seen.map(({ memcg, listed }) => {
      const { anon, file } = listedPages(listed);
      return { memcg, pages: anon + file };
    });
    const followed = followedMemcgs(sizes, this.#followed, mostMemcgs).map(({ memcg }) => memcg);
    const inodes = new Set(followed.map(({ inode }) => inode));
    for (const inode of this.#cohorts.keys()) if (!inodes.has(inode)) this.#cohorts.delete(inode);
    if (!areSame(followed, this.#followed) || this.#planPeriodMs !== periodMs) {
      const plan = planOf(followed, periodMs);
      await kernel.damon.replaceSchemes(plan, this.#pid);
      this.#followed = followed;
      this.#planPeriodMs = periodMs;
      this.#before = await kernel.damon.stats(plan.schemes.length, this.#pid);
      return;
    }
    const now = await kernel.damon.stats(bandSchemes(followed).length, this.#pid);
    const before = this.#before ?? now;
    let isApplied = false;
    const listedByInode = new Map(seen.map(({ memcg, listed }) => [memcg.inode, listedPages(listed)]));
    for (const [index, { inode }] of followed.entries()) {
      const listed = listedByInode.get(inode);
      const machine = { regionBytes: this.#regionBytes, pageBytes: kernel.pageBytes, periodMs };
      const cohorts = listed && bandCohorts(before, now, index, listed, machine);
      if (!cohorts) continue;
      isApplied = true;
      this.#cohorts.set(inode, cohorts);
    }
    if (isApplied || this.#before === undefined) this.#before = now;
  }
}

function planOf(memcgs: readonly Memcg[], periodMs: number): DamonPlan {
  const aggregationMs = periodMs / intervalsPerPeriod;
  return {
    sampleUs: Math.round(Math.max(shortestSampleMs, aggregationMs / samplesPerInterval) * 1000),
    aggregationUs: Math.round(aggregationMs * 1000),
    applyUs: Math.round(periodMs * 1000),
    regions,
    schemes: bandSchemes(memcgs),
  };
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
