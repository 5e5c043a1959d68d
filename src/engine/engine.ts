import type { Capabilities } from '../kernel/capabilities.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import { type LruGenMemcg, OFFLINE_ID } from '../kernel/lru-gen.js';
import type { Log } from '../log.js';
import { Aging } from './aging.js';
import { AgingBudget } from './aging-budget.js';
import { AllowedTypes } from './allowed-types.js';
import { Autopilot } from './autopilot.js';
import { BorrowedSettings, type LoanJournal } from './borrowed-settings.js';
import { Census } from './census.js';
import { CompactionRequests } from './compaction-request.js';
import { Compactor } from './compactor.js';
import { defaultGlobalControls, type GlobalControls, ignoresAge, MemcgControlTable } from './controls.js';
import type { EngineSettings } from './engine-settings.js';
import { Eviction } from './eviction.js';
import { EvictionSteps } from './eviction-steps.js';
import { Identities } from './identities.js';
import { Kidled } from './kidled.js';
import { Ledger, type LedgerBytes } from './ledger.js';
import { MeantColdness } from './meant-coldness.js';
import { MemcgRuns } from './memcg-runs.js';
import { MlockedMemory } from './mlocked.js';
import { OfflineMemcgs } from './offline-memcgs.js';
import { Problems } from './problems.js';
import { Reclaim } from './reclaim.js';
import { type ColdPages, planReclaim } from './reclaim-plan.js';
import { defaultPace } from './reclaim-pace.js';
import { SlabReclaim } from './slab.js';
import { steadyClock } from './steady-clock.js';
import { SwapSplit } from './swap-split.js';
import { Swapin } from './swapin.js';
import { ThresholdRuns } from './threshold-runs.js';
import type { Tracker, TrackerName } from './tracker.js';
import { createTracker } from './trackers.js';
import { Turns } from './turns.js';

export type { Capabilities, Memcg };

/** Share of the budget for watching that may go into memory.stat. */
const statShare = 0.3;

/** Everything behind the control files: what they hold, and what writing them does. */
export class Engine {
  readonly global: GlobalControls = { ...defaultGlobalControls };
  readonly controls = new MemcgControlTable();
  readonly ledger = new Ledger();
  /** Told when memory begins to be reclaimed or swapped in, and when all of that has ended. */
  onReclaiming: (reclaiming: boolean) => void = () => undefined;
  readonly problems: Problems;
  readonly borrowed: BorrowedSettings;
  readonly kidled: Kidled;
  readonly tracker: Tracker;
  readonly autopilot: Autopilot;
  readonly compactor: Compactor;
  readonly compactions: CompactionRequests;
  readonly mlocked: MlockedMemory;
  readonly #clock: Clock;
  readonly #budget: AgingBudget;
  readonly #identities: Identities;
  readonly #census = new Census();
  readonly #aging: Aging;
  readonly #reclaim: Reclaim;
  readonly #swapin: Swapin;
  readonly #turns: Turns;
  readonly #offline: OfflineMemcgs;
  readonly #meant: MeantColdness;
  readonly #thresholds: ThresholdRuns;

  constructor(
    private readonly kernel: Kernel,
    machineClock: Clock,
    public capabilities: Capabilities,
    readonly settings: EngineSettings,
    journal: LoanJournal,
    private readonly log: Log,
  ) {
    const clock = steadyClock(machineClock);
    this.#clock = clock;
    this.problems = new Problems(log);
    this.borrowed = new BorrowedSettings(kernel.settings, journal);
    this.#turns = new Turns(settings.runsAtOnce, undefined, (busy) => this.onReclaiming(busy));
    const { anonOnlyEviction } = capabilities;
    const eviction = new Eviction(kernel, clock, this.borrowed, anonOnlyEviction);
    const steps = new EvictionSteps(kernel, clock, eviction, this.ledger, anonOnlyEviction, log);
    this.#swapin = new Swapin(kernel, clock, this.ledger, this.borrowed, log);
    this.tracker = createTracker(settings.tracker, {
      kernel,
      clock,
      capabilities,
      log,
      borrowed: this.borrowed,
      cpuPercent: settings.scanCpuPercent,
      periodMs: () => settings.scanPeriodMs,
    });
    this.#reclaim = new Reclaim(kernel, clock, eviction, steps, this.#census, log, defaultPace, this.tracker);
    this.kidled = new Kidled(kernel, clock, this.tracker, log, {
      periodMs: () => settings.scanPeriodMs,
      statBudgetMs: () => (settings.scanPeriodMs * settings.scanCpuPercent * statShare) / 100,
    });
    this.#identities = new Identities((path) => kernel.memcgs.at(path));
    this.#budget = new AgingBudget(clock, () => settings.scanCpuPercent, log);
    this.#aging = new Aging(kernel, clock, this.#census, this.#budget, log, {
      periodMs: () => settings.scanPeriodMs,
      intervals: () => this.#meant.agingIntervals(),
      isBusy: (path) => this.#turns.isBusy(path),
      beforeAgings: (atMs, signal) => this.tracker.beforeAgings?.(atMs, signal),
      onLook: (listed, atMs, signal) => this.#look(listed, atMs, signal),
    });
    this.#meant = new MeantColdness(this.global, this.controls, {
      scanPeriodMs: () => settings.scanPeriodMs,
      autopilotIntervals: () => this.autopilot.agingIntervals(),
    });
    const { global, controls, problems } = this;
    const allowed = new AllowedTypes(kernel, global, controls, settings, problems, log);
    const runs = new MemcgRuns(this.#turns, this.#reclaim, this.ledger, this.kidled);
    const hasPressure = (): boolean => this.capabilities.psi;
    this.compactor = new Compactor(kernel, clock, hasPressure, log);
    this.compactions = new CompactionRequests(kernel, this.compactor, problems, log);
    this.#offline = new OfflineMemcgs(kernel, clock, eviction, this.ledger, this.borrowed, log);
    const split = new SwapSplit(kernel, global);
    this.mlocked = new MlockedMemory(kernel, clock, this.ledger, problems, settings.lockJournal, log, (memcg) =>
      allowed.mlocked(memcg),
    );
    this.#thresholds = new ThresholdRuns(
      kernel,
      clock,
      global,
      settings,
      allowed,
      split,
      this.mlocked,
      runs,
      this.#offline,
      new SlabReclaim(kernel, clock, this.ledger, log),
      this.compactions,
      this.#census,
      this.tracker,
      problems,
      log,
    );
    this.autopilot = new Autopilot(kernel, clock, hasPressure, this.problems, log, {
      scanPeriodMs: () => settings.scanPeriodMs,
      coldPages: (idleMs, paths) => this.#coldPages(idleMs, paths),
      evict: (request, signal) => runs.run({ ...request, stepPages: this.#thresholds.stepPages() }, signal),
      obstacleToSwap: (memcg) => allowed.obstacleToSwap(memcg),
      wakeAging: () => this.#aging.wake(),
    });
  }

  /** Before `run`: takes what the tracker needs. Throws TRACKER_UNAVAILABLE. */
  async start(): Promise<void> {
    this.kernel.compaction.prepare();
    this.mlocked.prepare();
    await this.tracker.start();
  }

  /** Gives back what `start` took. */
  async stop(): Promise<void> {
    this.kernel.compaction.close();
    await this.mlocked.stop();
    await this.tracker.stop();
  }

  /** The unit of all ages, in whole seconds; 0 is off. Resets the statistics of kidled, also when it is what it was. */
  setScanPeriod(seconds: number): void {
    const beforeMs = this.settings.scanPeriodMs;
    this.settings.scanPeriodMs = seconds * 1000;
    this.kidled.periodWritten();
    this.#aging.periodChanged(beforeMs);
    this.log.info({ seconds, before: beforeMs / 1000 }, 'the scan period was written');
  }

  /** How the watching goes: for coldpgs/capabilities. */
  watching(): {
    readonly tracker: TrackerName;
    /** What sees use of page cache through read(2), which the tracker by itself does not; undefined where nothing does. */
    readonly readWitness: string | undefined;
    /** How many times longer rounds are than the scan period. */
    readonly stretch: number;
    readonly usedPercent: number | undefined;
  } {
    const { name: tracker, readWitness } = this.tracker;
    return { tracker, readWitness, stretch: this.#budget.roundStretch, usedPercent: this.#budget.usedPercent };
  }

  /** Runs the aging clock and the autopilot until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const runs = [this.#aging, this.autopilot, this.compactor, this.mlocked].map((one) => one.run(signal));
    await Promise.all(runs);
  }

  /** The memcg at a path, as it is at this moment. */
  memcgAt(path: string): Memcg | undefined {
    return this.kernel.memcgs.at(path);
  }

  childNames(path: string): string[] {
    return this.kernel.memcgs.childNames(path);
  }

  /** Notes the coldness a memcg is meant for (its flags, or the last threshold written), for the aging clock. */
  noteColdness(memcg: Memcg, change: { flags?: bigint; lastAgePeriods?: number }): void {
    this.controls.set(memcg, change);
    this.#meant.read();
    this.#aging.wake();
  }

  noteNonrot(agePeriods: number): void {
    this.global.nonrotAgePeriods = agePeriods;
    this.#aging.wake();
  }

  noteGlobalColdness(agePeriods: number): void {
    this.global.agePeriods = agePeriods;
    this.#aging.wake();
  }

  /**
   * Reclaims what a memcg has that is idle for at least `agePeriods` periods, at most `limitBytes`, of the types that mode (and the
   * flags gate) allow. What could not be done as asked is in `problems`. Throws MEMCG_GONE, KERNEL_REFUSED, CANCELLED.
   */
  reclaimMemcg(memcg: Memcg, agePeriods: number, limitBytes: number, signal: AbortSignal): Promise<void> {
    return this.#thresholds.ofMemcg(memcg, agePeriods, limitBytes, signal);
  }

  /** Whether a size alone starts a run of the memcg: its own flags say that no age is asked for. */
  needsNoThreshold(memcg: Memcg): boolean {
    return this.settings.ignoreAge === 'on' && ignoresAge(this.controls.of(memcg).flags);
  }

  /** Reclaims every memcg's pages idle for at least `agePeriods` periods, without a limit. Throws CANCELLED. */
  reclaimAll(agePeriods: number, signal: AbortSignal): Promise<void> {
    return this.#thresholds.ofAll(agePeriods, signal);
  }

  /** Swaps in a memcg and its descendants ("/" for all). Throws MEMORY_LIMIT, SWAPIN_FAILED, CANCELLED. */
  async swapIn(memcg: Memcg, signal: AbortSignal): Promise<void> {
    await this.#turns.run(memcg.path, signal, () => this.#swapin.run(memcg, signal));
  }

  ownStats(memcg: Memcg): Readonly<LedgerBytes> {
    return this.ledger.own(memcg);
  }

  /** With hierarchy at 1 the descendants are counted in; at 0 the total is the memcg's own. */
  totalStats(memcg: Memcg): Readonly<LedgerBytes> {
    return this.global.hierarchy === 1 ? this.ledger.total(memcg, this.isLive) : this.ledger.own(memcg);
  }

  resetStats(memcg: Memcg): void {
    if (this.global.hierarchy === 1) this.ledger.resetTree(memcg);
    else this.ledger.reset(memcg);
  }

  readonly isLive = (memcg: Memcg): boolean => this.kernel.memcgs.at(memcg.path)?.inode === memcg.inode;

  /** What is proven cold now in the memcgs at some paths, each by an idle time of its own; those without anything are left out. */
  async #coldPages(
    idleMs: (path: string) => number,
    paths: ReadonlySet<string>,
  ): Promise<ReadonlyMap<string, readonly ColdPages[]>> {
    const listed = await this.kernel.lruGen.read();
    const atMs = this.#clock.nowMs();
    const cold = listed
      .filter(({ id, path }) => id !== OFFLINE_ID && paths.has(path))
      .map((one) => [one.path, planReclaim(one, ['file', 'anon'], idleMs(one.path), this.#census, atMs).cold] as const);
    return new Map(cold.filter(([, pages]) => pages.length > 0));
  }

  async #look(listed: readonly LruGenMemcg[], atMs: number, signal: AbortSignal): Promise<void> {
    const seen = await this.#identities.identify(listed, atMs, (one) => this.#aging.quietUntilMs(one));
    this.#offline.observe(listed, atMs);
    this.#sweep();
    await this.autopilot.observe(seen, atMs);
    await this.kidled.look(seen, atMs, signal);
  }

  #sweep(): void {
    this.ledger.keepOnly(this.isLive);
    this.controls.keepOnly(this.isLive);
    this.#reclaim.keepOnly(this.isLive);
    this.#meant.read();
  }
}
