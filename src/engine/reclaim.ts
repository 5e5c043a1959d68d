import { ColdpgsError } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import type { LruGenMemcg } from '../kernel/lru-gen.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import { AnonReach } from './anon-reach.js';
import type { Census } from './census.js';
import type { Eviction, PageType } from './eviction.js';
import type { EvictionSteps } from './eviction-steps.js';
import { GenerationEviction } from './generation-eviction.js';
import { PageOut, type Unfreed } from './page-out.js';
import { Probing } from './probing.js';
import { isAllInUse, isAllRead, isLeftToReaders } from './read-sparing.js';
import { defaultPace, type ReclaimPace } from './reclaim-pace.js';
import { type ColdPages, planReclaim, type ReclaimPlan } from './reclaim-plan.js';
import { fewPages, type ReclaimRequest, type Run, startRun } from './run.js';
import type { Tracker } from './tracker.js';
import { followSent, openOldest, openVein, type Vein, youngerPages } from './vein.js';

export interface ReclaimOutcome {
  readonly freedBytes: number;
  /** Time inside eviction commands, and time waited for grace and probes. */
  readonly evictionMs: number;
  readonly waitedMs: number;
  /** Why less was done than asked, as sentences; empty when all that was proven cold went. */
  readonly shortfalls: readonly string[];
  /** Whether nothing was proven cold when it began. */
  readonly nothingCold: boolean;
  /** What the request's guard ended the run for; undefined when it did not. */
  readonly stoppedBy: string | undefined;
}

/** Four generations have at most two that can be evicted; the kernel may add one or two during a long run. */
const mostGenerations = 4;

/**
 * Evicts what is proven cold in a memcg: grace, probe, then steps, each measured and entered in the ledger.
 *
 * One generation at a time: the kernel spares pages in use by moving them to the next generation, and forgets their use in doing so.
 * Going on into that generation at once would take exactly the pages that were spared; after another grace time their use shows again.
 */
export class Reclaim {
  readonly #probing: Probing;
  readonly #generation: GenerationEviction;
  readonly #reach: AnonReach;
  readonly #pageOut: PageOut;

  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    eviction: Eviction,
    private readonly steps: EvictionSteps,
    private readonly census: Census,
    private readonly log: Log,
    private readonly pace: ReclaimPace = defaultPace,
    /** Sees use of page cache that generations do not show, and learns of what probes show. */
    private readonly witness: Pick<Tracker, 'learn' | 'watchReads' | 'idleFilePages' | 'idleFrames'> = {},
  ) {
    const onProbed = (memcg: Memcg, type: PageType, usedShare: number): void =>
      this.witness.learn?.(memcg, type, usedShare);
    this.#probing = new Probing(clock, eviction, steps, log, pace, onProbed);
    this.#generation = new GenerationEviction(eviction, steps, this.#probing, log, pace);
    this.#reach = new AnonReach(steps, pace);
    this.#pageOut = new PageOut(kernel, clock, steps, witness);
  }

  /**
   * Frees at most `limitBytes` (but for one batch of the kernel) of what is proven idle for `agePeriods` periods.
   * Throws MEMCG_GONE, KERNEL_REFUSED, or CANCELLED when `signal` is aborted; what was freed until then is in the ledger.
   */
  async run(request: ReclaimRequest, signal: AbortSignal): Promise<ReclaimOutcome> {
    const reads = await this.witness.watchReads?.(request.memcg, request.agePeriods * request.periodMs);
    const run = startRun(request, this.kernel.pageBytes, signal, reads?.youngFrames ? reads : undefined);
    run.swapCachedPages = await this.steps.swapCachedPages(request.memcg);
    run.onZram = run.writesAtOnce = await this.steps.swapIsZram();
    const opened = await this.#openVeins(run, await this.#pageOut.run(run));
    await this.#probing.probe(
      run,
      opened.filter((vein) => !this.#probing.isFresh(run, vein.cold.type)),
    );
    let veins = opened;
    for (let generation = 0; generation < mostGenerations && veins.length > 0 && !signal.aborted; generation++) {
      for (const vein of veins) await this.#generation.evict(run, vein);
      veins = await this.#moveOn(run, veins);
    }
    const anon = opened.filter(isAnon);
    const mostReturns = request.agePeriods === 0 ? 0 : this.pace.returns;
    for (let round = 0; round < mostReturns && !signal.aborted; round++) {
      const returned = await this.#reach.returned(run, anon);
      for (const vein of returned) await this.#generation.evict(run, vein);
      if (returned.length === 0) break;
    }
    if (signal.aborted) throw cancelled(request.memcg);
    return this.#outcome(run);
  }

  /** Forgets what probes said of memcgs that are gone. */
  keepOnly(isLive: (memcg: Memcg) => boolean): void {
    this.#probing.keepOnly(isLive);
  }

  /** What is proven cold once the grace time is over; waits for that only when there is something to wait for. */
  async #openVeins(run: Run, sent: Unfreed | undefined): Promise<Vein[]> {
    if (run.request.agePeriods === 0) await this.#bringAllWithinReach(run.request.memcg);
    let plan = await this.#plan(run);
    const graceLeftMs = this.pace.graceMs - plan.sinceAgingMs;
    if (plan.cold.length > 0 && graceLeftMs > 0) {
      await this.steps.wait(run, graceLeftMs);
      plan = await this.#plan(run);
    }
    if (sent && sent.pages >= fewPages && !plan.cold.some(({ type }) => type === 'anon'))
      run.shortfalls.push(sentAndNotFreed(sent.pages * this.kernel.pageBytes));
    else if (run.freedPages === 0) {
      run.nothingCold = plan.cold.length === 0;
      run.shortfalls.push(...nothingProven(run.request, plan));
    }
    const listed = await this.steps.listed(run.request.memcg);
    const { deviceIdleMs } = run.request;
    const veins = this.#withoutCacheInUse(run, plan.cold).map((cold) => openVein(cold, listed, deviceIdleMs));
    if (sent) for (const vein of veins) followSent(vein, sent.before, listed);
    if (
      deviceIdleMs !== undefined &&
      deviceIdleMs < Infinity &&
      plan.longestProvenMs < deviceIdleMs &&
      veins.some(isAnon)
    )
      run.shortfalls.push(nothingForDevice(deviceIdleMs));
    await this.#reach.reach(run, veins);
    return veins;
  }

  /** What is proven cold by generations, without page cache that was seen in use. */
  #withoutCacheInUse(run: Run, cold: readonly ColdPages[]): readonly ColdPages[] {
    const { memcg, agePeriods, periodMs } = run.request;
    const filePages = cold.reduce((sum, { type, pages }) => (type === 'file' ? sum + pages : sum), 0);
    if (filePages === 0) return cold;
    const idlePages = this.witness.idleFilePages?.(memcg, agePeriods * periodMs, this.clock.nowMs());
    if (!isAllRead(run) && !isAllInUse(run, filePages, idlePages)) return cold;
    return cold.filter(({ type }) => type !== 'file');
  }

  /** Where no age is asked for: two agings, after which all that is there now is in generations that may be evicted, but for what is in use. */
  async #bringAllWithinReach(memcg: Memcg): Promise<void> {
    for (let times = 0; times < 2; times++) {
      const listed = await this.steps.listed(memcg);
      await this.steps.age(listed, new Set(listed.nodes.map(({ node }) => node)));
    }
  }

  async #plan(run: Run): Promise<ReclaimPlan> {
    const { memcg, types, agePeriods, periodMs } = run.request;
    const listed = await this.steps.listed(memcg);
    const plan = planReclaim(listed, types, agePeriods * periodMs, this.census, this.clock.nowMs());
    return { ...plan, cold: run.request.narrow?.(plan.cold) ?? plan.cold };
  }

  /**
   * Turns to the next generation of each vein that has one worth it, and answers those. Where the kernel moved pages that it spared
   * into it, waits until their use shows again, and probes page cache anew.
   */
  async #moveOn(run: Run, veins: readonly Vein[]): Promise<Vein[]> {
    const open = veins.filter((vein) => vein.leftPages > 0 && vein.seq < vein.cold.newestSeq);
    if (open.length === 0 || run.leftPages <= 0 || run.signal.aborted) return [];
    const listed = await this.steps.listed(run.request.memcg);
    const spared = open.filter((vein) => youngerPages(vein, listed) > vein.youngerPages + fewPages);
    await this.#leaveToReaders(run, spared.filter(isFile), listed);
    const next = open.filter((vein) => vein.leftPages > 0 && openOldest(vein, listed) >= fewPages);
    if (spared.some((vein) => next.includes(vein))) {
      await this.steps.wait(run, this.pace.sparedGraceMs);
      await this.#probing.probe(run, next.filter(isFile));
    }
    await this.#reach.reach(run, next);
    return next;
  }

  async #leaveToReaders(run: Run, spared: readonly Vein[], listed: LruGenMemcg): Promise<void> {
    for (const vein of spared) {
      const pages = youngerPages(vein, listed);
      if (await isLeftToReaders(run, pages, pages - vein.youngerPages)) vein.leftPages = 0;
    }
  }

  #outcome(run: Run): ReclaimOutcome {
    const { evictionMs, waitedMs, shortfalls, nothingCold, stoppedBy } = run;
    const freedBytes = run.freedPages * this.kernel.pageBytes;
    this.log.info({ memcg: toText(run.request.memcg.path), freedBytes, evictionMs, waitedMs }, 'reclaimed');
    return { freedBytes, evictionMs, waitedMs, shortfalls, nothingCold, stoppedBy };
  }
}

function nothingProven(request: ReclaimRequest, plan: ReclaimPlan): string[] {
  const askedMs = request.agePeriods * request.periodMs;
  if (plan.cold.length > 0 || plan.longestProvenMs >= askedMs) return [];
  return [
    `nothing is proven idle for ${request.agePeriods} periods (${askedMs / 1000} s) yet: the oldest generation border is ` +
      `${Math.floor(plan.longestProvenMs / 1000)} s old. The aging clock of the memcg now works toward it; write again later`,
  ];
}

function isAnon({ cold }: Vein): boolean {
  return cold.type === 'anon';
}

function isFile({ cold }: Vein): boolean {
  return cold.type === 'file';
}

function sentAndNotFreed(bytes: number): string {
  return (
    `${bytes} bytes are in swap, or on their way there, and not freed yet: no border between generations is old enough to free them without taking other memory ` +
    'along. The aging clock of the memcg now works toward it; write again later'
  );
}

function nothingForDevice(deviceIdleMs: number): string {
  return (
    `no border between generations is ${deviceIdleMs / 1000} s old yet, as it takes by threshold_nonrot to tell what goes to the swap device: all ` +
    'anonymous memory goes to zswap. (Borders reach back two to three times the threshold.)'
  );
}

function cancelled(memcg: Memcg): ColdpgsError {
  return new ColdpgsError(
    'CANCELLED',
    'EINTR',
    `The reclaim of memcg ${toText(memcg.path)} was cancelled; what it freed until then is in memory.coldpgs.stats.`,
  );
}
