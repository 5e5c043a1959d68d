import { ColdpgsError, sentenceOf } from '../errors.js';
import type { Capabilities } from '../kernel/capabilities.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import { type LruGenMemcg, OFFLINE_ID } from '../kernel/lru-gen.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import { Aging } from './aging.js';
import { AgingBudget } from './aging-budget.js';
import { Autopilot } from './autopilot.js';
import { BorrowedSettings, type LoanJournal } from './borrowed-settings.js';
import { Census } from './census.js';
import { agingIntervalMs } from './coldness.js';
import { Compactor } from './compactor.js';
import {
  coldnessOfFlags,
  defaultGlobalControls,
  flagBits,
  type GlobalControls,
  ignoresMlock,
  MemcgControlTable,
  modeBits,
  modeOfFlags,
} from './controls.js';
import { Eviction, type PageType } from './eviction.js';
import { EvictionSteps } from './eviction-steps.js';
import { Identities } from './identities.js';
import { Kidled } from './kidled.js';
import { Ledger, type LedgerBytes } from './ledger.js';
import type { LockJournal } from './lock-loans.js';
import { MlockedMemory } from './mlocked.js';
import { Problems } from './problems.js';
import { defaultPace, Reclaim, type ReclaimOutcome } from './reclaim.js';
import { type ColdPages, planReclaim } from './reclaim-plan.js';
import { largestStepPages, type ReclaimRequest } from './run.js';
import { Swapin } from './swapin.js';
import type { Tracker, TrackerName } from './tracker.js';
import { createTracker } from './trackers.js';
import { isBelow, Turns } from './turns.js';

export type { Capabilities, Memcg };

/** How the engine goes about its work; all of it may be set at start (daemon/settings.ts). */
export interface EngineSettings {
  /** Length of a scan period, the unit of thresholds; 0 is off. */
  scanPeriodMs: number;
  /** Whether a per-memcg run also takes the online descendants, as an option; the module skips them. */
  readonly children: 'skip' | 'include';
  /** strict: a memcg is reclaimed only as far as bits 32-34 of its own flags allow, as the module's code has it. */
  readonly flagsGate: 'off' | 'strict';
  /** Runs side by side on different memcgs. */
  readonly runsAtOnce: number;
  /** Where page ages come from. */
  readonly tracker: TrackerName;
  /** Where locks taken off mlocked memory are noted; undefined where such memory must not be touched. */
  readonly lockJournal?: LockJournal;
  /** Share of one processor that agings and looks may take, in percent. */
  readonly scanCpuPercent: number;
}

export const defaultEngineSettings: EngineSettings = {
  scanPeriodMs: 15_000,
  children: 'skip',
  flagsGate: 'off',
  runsAtOnce: 4,
  tracker: 'mglru',
  scanCpuPercent: 2,
};

/** Share of the budget for watching that may go into memory.stat. */
const statShare = 0.3;

/** coldpgs's batch counts pages per lock hold; a step of ours is so many batches. */
const batchesPerStep = 128;

/** Everything behind the control files: what they hold, and what writing them does. */
export class Engine {
  readonly global: GlobalControls = { ...defaultGlobalControls };
  readonly controls = new MemcgControlTable();
  readonly ledger = new Ledger();
  readonly problems: Problems;
  readonly borrowed: BorrowedSettings;
  readonly kidled: Kidled;
  readonly tracker: Tracker;
  readonly autopilot: Autopilot;
  readonly compactor: Compactor;
  readonly mlocked: MlockedMemory;
  readonly #budget: AgingBudget;
  readonly #identities: Identities;
  readonly #census = new Census();
  readonly #aging: Aging;
  readonly #reclaim: Reclaim;
  readonly #swapin: Swapin;
  readonly #turns: Turns;
  /** The coldness that memcgs are meant for by their flags, and by the last threshold written. */
  #meantByPath = new Map<string, { readonly flags: number; readonly last: number }>();

  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    public capabilities: Capabilities,
    readonly settings: EngineSettings,
    journal: LoanJournal,
    private readonly log: Log,
  ) {
    this.problems = new Problems(log);
    this.borrowed = new BorrowedSettings(kernel.settings, journal);
    this.#turns = new Turns(settings.runsAtOnce);
    const { anonOnlyEviction } = capabilities;
    const eviction = new Eviction(kernel, clock, anonOnlyEviction);
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
    this.#reclaim = new Reclaim(
      kernel,
      clock,
      eviction,
      steps,
      this.#census,
      log,
      defaultPace,
      (memcg, type, usedShare) => this.tracker.learn?.(memcg, type, usedShare),
      (memcg, idleMs) => this.tracker.watchReads?.(memcg, idleMs),
    );
    this.kidled = new Kidled(kernel, clock, this.tracker, log, {
      periodMs: () => settings.scanPeriodMs,
      statBudgetMs: () => (settings.scanPeriodMs * settings.scanCpuPercent * statShare) / 100,
    });
    this.#identities = new Identities((path) => kernel.memcgs.at(path));
    this.#budget = new AgingBudget(clock, () => settings.scanCpuPercent, log);
    this.#aging = new Aging(kernel, clock, this.#census, this.#budget, log, {
      periodMs: () => settings.scanPeriodMs,
      intervalMsOf: (path, node) => this.#agingIntervalMs(path, node),
      isBusy: (path) => this.#turns.isBusy(path),
      beforeAgings: (atMs, signal) => this.tracker.beforeAgings?.(atMs, signal),
      onLook: (listed, atMs, signal) => this.#look(listed, atMs, signal),
    });
    const { ledger, problems } = this;
    this.mlocked = new MlockedMemory(kernel, clock, ledger, problems, settings.lockJournal, log, (memcg) =>
      this.#asksForMlocked(memcg),
    );
    const hasPressure = (): boolean => this.capabilities.psi;
    this.compactor = new Compactor(kernel, clock, hasPressure, log);
    this.autopilot = new Autopilot(kernel, clock, hasPressure, this.problems, log, {
      scanPeriodMs: () => settings.scanPeriodMs,
      coldPages: (idleMs, paths) => this.#coldPages(idleMs, paths),
      evict: (request, signal) => this.#takeTurn({ ...request, stepPages: this.#stepPages() }, signal),
      obstacleToSwap: (memcg) => this.#obstacleToSwap(memcg),
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

  /** Whether the kernel knows whose tasks have to wait; else the machine's pressure stands in for everybody's. */
  get pressureIsByMemcg(): boolean {
    return this.kernel.pressure.scope === 'memcg';
  }

  /** How the watching goes: for coldpgs/capabilities. */
  watching(): {
    readonly tracker: TrackerName;
    /** What sees use of page cache through read(2), which the tracker by itself does not; undefined where nothing does. */
    readonly readWitness: string | undefined;
    readonly stretch: number;
    readonly usedPercent: number | undefined;
  } {
    const { name: tracker, readWitness } = this.tracker;
    return { tracker, readWitness, stretch: this.#budget.stretch, usedPercent: this.#budget.usedPercent };
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
    this.#readColdness();
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
  async reclaimMemcg(memcg: Memcg, agePeriods: number, limitBytes: number, signal: AbortSignal): Promise<void> {
    const about = toText(memcg.path);
    this.#mentionUnsupported(about);
    const listed = await this.kernel.lruGen.read();
    this.#mentionOffline(memcg, listed);
    await this.#reclaimOne(memcg, agePeriods, limitBytes, true, signal);
    if (this.settings.children === 'skip') return;
    const below = (await this.kernel.memcgs.list()).filter((one) => isBelow(one.path, memcg.path));
    await this.#reclaimMany(below, listed, agePeriods, signal);
  }

  /** Reclaims every memcg's pages idle for at least `agePeriods` periods, without a limit. Throws CANCELLED. */
  async reclaimAll(agePeriods: number, signal: AbortSignal): Promise<void> {
    this.#mentionUnsupported('global threshold');
    if (this.global.mode === 0) return this.problems.report('global threshold', modeIsZero);
    if (this.settings.scanPeriodMs === 0) return this.problems.report('global threshold', periodIsZero);
    const [root] = await this.kernel.memcgs.list();
    if (this.global.mode & modeBits.anon && root) {
      const obstacle = await this.#obstacleToSwap(root);
      if (obstacle !== undefined) this.problems.report('global threshold', anonLeftAlone(obstacle));
    }
    const listed = await this.kernel.lruGen.read();
    const runs = await this.#reclaimMany(await this.kernel.memcgs.list(), listed, agePeriods, signal);
    if (runs === 0) this.problems.report('global threshold', nothingProvenAnywhere(agePeriods));
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

  /** One run for each memcg that has something proven cold, and how many those were; a memcg that is removed meanwhile is none of the others' business. */
  async #reclaimMany(
    memcgs: readonly Memcg[],
    listed: readonly LruGenMemcg[],
    agePeriods: number,
    signal: AbortSignal,
  ): Promise<number> {
    const idleMs = agePeriods * this.settings.scanPeriodMs;
    const atMs = this.clock.nowMs();
    const byPath = new Map(listed.filter((one) => one.id !== '0').map((one) => [one.path, one]));
    const mlocked = await this.mlocked.among(memcgs);
    const worthIt = memcgs.filter((memcg) => {
      const generations = byPath.get(memcg.path);
      if (mlocked.has(memcg.path)) return true;
      return generations && planReclaim(generations, ['anon', 'file'], idleMs, this.#census, atMs).cold.length > 0;
    });
    const runs = worthIt.map((memcg) => this.#reclaimOne(memcg, agePeriods, Infinity, false, signal));
    for (const [index, ended] of (await Promise.allSettled(runs)).entries()) {
      if (ended.status === 'fulfilled') continue;
      const failure: unknown = ended.reason;
      if (failure instanceof ColdpgsError && failure.code === 'CANCELLED') throw failure;
      const about = toText(worthIt[index]?.path ?? '');
      if (failure instanceof ColdpgsError && failure.code === 'MEMCG_GONE')
        this.log.debug({ memcg: about }, 'removed before its turn');
      else this.problems.report(about, `not reclaimed: ${sentenceOf(failure)}`);
    }
    return worthIt.length;
  }

  async #reclaimOne(
    memcg: Memcg,
    agePeriods: number,
    limitBytes: number,
    asked: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const about = toText(memcg.path);
    if (memcg.path === this.kernel.memcgs.own()) {
      if (asked) this.problems.report(about, ownMemcg);
      else this.log.debug({ memcg: about }, ownMemcg);
      return;
    }
    if (this.settings.scanPeriodMs === 0) return this.problems.report(about, periodIsZero);
    const types = await this.#types(memcg, asked);
    if (types.length === 0) return;
    const request = {
      memcg,
      agePeriods,
      periodMs: this.settings.scanPeriodMs,
      limitBytes,
      types,
      stepPages: this.#stepPages(),
    };
    const outcome = await this.mlocked.around(request, signal, () => this.#takeTurn(request, signal));
    for (const sentence of outcome.shortfalls) this.problems.report(about, sentence);
  }

  /** A run of one memcg when its turn has come. */
  async #takeTurn(request: ReclaimRequest, signal: AbortSignal): Promise<ReclaimOutcome> {
    const { memcg } = request;
    return this.#turns.run(memcg.path, signal, async () => {
      const before = { ...this.ledger.own(memcg) };
      try {
        return await this.#reclaim.run(request, signal);
      } finally {
        const out = bytesOut(this.ledger.own(memcg), before);
        this.kidled.evicted(memcg, 'file', out.fileBytes);
        this.kidled.evicted(memcg, 'anon', out.anonBytes);
      }
    });
  }

  #stepPages(): number {
    return Math.min(this.global.batch * batchesPerStep, largestStepPages);
  }

  /** What is proven cold now in the memcgs at some paths, each by an idle time of its own; those without anything are left out. */
  async #coldPages(
    idleMs: (path: string) => number,
    paths: ReadonlySet<string>,
  ): Promise<ReadonlyMap<string, readonly ColdPages[]>> {
    const listed = await this.kernel.lruGen.read();
    const atMs = this.clock.nowMs();
    const cold = listed
      .filter(({ id, path }) => id !== OFFLINE_ID && paths.has(path))
      .map((one) => [one.path, planReclaim(one, ['file', 'anon'], idleMs(one.path), this.#census, atMs).cold] as const);
    return new Map(cold.filter(([, pages]) => pages.length > 0));
  }

  /**
   * Milliseconds between two agings. The coldness that a memcg is meant for by its flags rules; else the slower of what the last threshold and the
   * autopilot need, because the kernel's four generations reach no further back than three of them.
   */
  #agingIntervalMs(path: string, node: number): number {
    const meant = this.#meantByPath.get(path);
    const { scanPeriodMs } = this.settings;
    if (meant?.flags) return agingIntervalMs(scanPeriodMs, meant.flags);
    const forThresholds = agingIntervalMs(scanPeriodMs, meant?.last ?? this.global.agePeriods);
    return Math.max(forThresholds, this.autopilot.agingIntervalMs(path, node) ?? 0);
  }

  /** The page types that mode, the flags gate, swap and swappiness allow, anon first as in the module. */
  async #types(memcg: Memcg, asked: boolean): Promise<PageType[]> {
    const about = toText(memcg.path);
    const gate = this.settings.flagsGate === 'strict' ? modeOfFlags(this.controls.of(memcg).flags) : ~0;
    const mode = this.global.mode & gate;
    if (asked && this.global.mode === 0) this.problems.report(about, modeIsZero);
    else if (asked && mode === 0) this.problems.report(about, gateIsShut);
    const types: PageType[] = [];
    if (mode & modeBits.anon) {
      const obstacle = await this.#obstacleToSwap(memcg);
      if (obstacle === undefined) types.push('anon');
      else if (asked) this.problems.report(about, anonLeftAlone(obstacle));
      else this.log.debug({ memcg: about }, anonLeftAlone(obstacle));
    }
    if (mode & modeBits.pageCache) types.push('file');
    return types;
  }

  /** By the global flags; with the strict gate by those of a memcg as well. */
  #asksForMlocked(memcg: Memcg | undefined): boolean {
    const isOpen = !memcg || this.settings.flagsGate === 'off' || ignoresMlock(this.controls.of(memcg).flags);
    return (this.global.flags & flagBits.ignoreMlock) !== 0 && isOpen;
  }

  async #obstacleToSwap(memcg: Memcg): Promise<string | undefined> {
    if ((await this.kernel.memory.swapRoom(memcg.path)) < this.kernel.pageBytes)
      return (await this.kernel.swap.devices()).length === 0
        ? 'the machine has no swap; add some with swapon'
        : 'no swap is free for it; look at /proc/swaps and memory.swap.max';
    if ((await this.kernel.memory.swappiness(memcg.path)) === 0)
      return 'swappiness is 0, which forbids swapping; write another value to /proc/sys/vm/swappiness';
    return undefined;
  }

  #mentionUnsupported(about: string): void {
    const { mode, nonrotAgePeriods } = this.global;
    if (mode & modeBits.slab)
      this.problems.report(about, 'mode asks for slab (bit 2), which this version does not reclaim');
    this.mlocked.mention(about);
    if (nonrotAgePeriods > 0 && mode & modeBits.anon)
      this.problems.report(
        about,
        'threshold_nonrot is set, but this version does not split between zswap and the device: all goes where the kernel puts it',
      );
  }

  #mentionOffline(memcg: Memcg, listed: readonly LruGenMemcg[]): void {
    const offline = listed.filter((one) => one.id === '0' && isBelow(one.path, memcg.path));
    if (offline.length > 0)
      this.problems.report(
        toText(memcg.path),
        `${offline.length} removed memcgs below it still hold pages, which this version does not reclaim`,
      );
  }

  async #look(listed: readonly LruGenMemcg[], atMs: number, signal: AbortSignal): Promise<void> {
    const seen = await this.#identities.identify(listed, atMs, (one) => this.#aging.quietUntilMs(one));
    this.#sweep();
    this.kidled.keepOnly(seen, this.isLive);
    this.autopilot.observe(seen, atMs);
    await this.kidled.look(seen, atMs, signal);
  }

  #sweep(): void {
    this.ledger.keepOnly(this.isLive);
    this.controls.keepOnly(this.isLive);
    this.#reclaim.keepOnly(this.isLive);
    this.#readColdness();
  }

  #readColdness(): void {
    this.#meantByPath = new Map();
    for (const { memcg, controls } of this.controls.entries()) {
      const flags = coldnessOfFlags(controls.flags);
      const last = controls.lastAgePeriods;
      if (flags > 0 || last > 0) this.#meantByPath.set(memcg.path, { flags, last });
    }
  }
}

/** What left a memcg between two states of its ledger. */
function bytesOut(after: LedgerBytes, before: LedgerBytes): { fileBytes: number; anonBytes: number } {
  const out = (row: keyof LedgerBytes): number => (after[row] ?? 0) - (before[row] ?? 0);
  return { fileBytes: out('pagecache dropped'), anonBytes: out('anon zswap out') + out('anon swap out') };
}

function nothingProvenAnywhere(agePeriods: number): string {
  return `no memcg has pages proven idle for ${agePeriods} periods yet; the aging clocks now work toward it, write again later`;
}

function anonLeftAlone(obstacle: string): string {
  return `anonymous memory was left alone: ${obstacle}`;
}

const modeIsZero =
  'mode is 0, so nothing is reclaimed: write 1 (page cache), 2 (anonymous memory) or 3 (both) to /sys/kernel/mm/coldpgs/mode';
const gateIsShut =
  'the flags gate is strict and bits 32-34 of memory.coldpgs.flags allow none of the types in mode: write for example 0x700000000 to it';
const periodIsZero = 'the scan period is 0 (off), so no age is known: set --scan-period to seconds';
const ownMemcg =
  'coldpgs runs in this memcg itself and does not reclaim it: start the daemon in a memcg of its own, for example with systemd-run';
