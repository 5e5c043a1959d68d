import { ColdpgsError, sentenceOf } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { CompactionEnd, CompactionRun } from '../kernel/compaction.js';
import type { FreeMemory } from '../kernel/compaction.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Log } from '../log.js';
import { cancelledRun, noPressure } from './autopilot.js';
import { type CompactSettings, defaultCompactSettings } from './autopilot-settings.js';
import { type CompactionReason, decideCompaction, freeBlocks, hugeOrder, smallPages } from './compaction-decision.js';
import { drainProcessorLists } from './processor-lists.js';
import { type PeriodStart, pressurePercent, PressureReader } from './pressure.js';
import { PressureGuard } from './pressure-guard.js';
import { Turns } from './turns.js';

/** How a compaction ended: as the kernel says, or why it was killed, or that it did not end even then. */
export type CompactionOutcome =
  | Exclude<CompactionEnd, 'killed'>
  | 'psi_exceeds_limit'
  | 'psi_unreadable'
  | 'too_long'
  | 'disabled'
  | 'cancelled'
  | 'does_not_end';

/** The last period that ended. */
export interface PeriodRecord {
  readonly at: Date;
  readonly ran: boolean;
  readonly reason: CompactionReason;
  readonly pressurePercent: number | undefined;
}

/** The last compaction. */
export interface CompactionRecord {
  readonly at: Date;
  readonly reason: CompactionReason;
  readonly outcome: CompactionOutcome;
  readonly tookMs: number;
  /** Blocks of the wanted order that are free now and were not before; negative where others took more meanwhile. */
  readonly blocksGained: number;
}

/** How passes over memory ended, and how many blocks more there are than before them. */
interface CompactionResult {
  readonly outcome: CompactionOutcome;
  readonly blocksGained: number;
}

/** Why what goes on must be killed, if it must; waits no longer than until it has ended. */
type ReasonToKill = (ended: AbortSignal) => Promise<CompactionOutcome | undefined>;

/** Pressure is looked at so often while a compaction goes on. */
const lookMs = 1000;
/**
 * One pass of the kernel leaves some of what can be joined: what its two scanners had passed when they met, and what others held at that moment. As long as there are
 * fragments of so many blocks another pass follows, unless the last one gained less; but no more than so many in all.
 */
const worthAnotherPass = 16;
export const mostPasses = 4;
/** A process that was killed has so long to end before it is left to itself. */
const dyingMs = 30_000;
const longestNapMs = 3_600_000;

/** Compacts memory by itself: every period, where there are enough fragments and little pressure, by a process that can be killed. */
export class Compactor {
  #settings: CompactSettings = defaultCompactSettings;
  lastPeriod: PeriodRecord | undefined;
  lastRun: CompactionRecord | undefined;
  readonly reasons = new Map<CompactionReason, number>();
  readonly outcomes = new Map<CompactionOutcome, number>();
  periodsWithout = 0;
  #periodStart: PeriodStart | undefined;
  #left: FreeMemory | undefined;
  /** A compaction that has not ended. */
  #going: CompactionRun | undefined;
  #alarm = new AbortController();
  readonly #rounds = new Turns(1);

  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    private readonly hasPressure: () => boolean,
    private readonly log: Log,
  ) {}

  get settings(): CompactSettings {
    return this.#settings;
  }

  /** Changes settings, all or none; no change makes a compaction come sooner. Throws NO_PRESSURE when it would enable compactions without PSI. */
  change(settings: Partial<CompactSettings>): void {
    const changed = { ...this.#settings, ...settings };
    if (!changed.disabled && !this.hasPressure()) throw noPressure('compact memory');
    const { disabled, period_secs } = this.#settings;
    if (changed.disabled !== disabled || changed.period_secs !== period_secs) this.#periodStart = undefined;
    this.#settings = changed;
    this.log.info({ ...settings }, 'settings of compaction have changed');
    this.wake();
  }

  /** Ends periods as they come to their end, until `signal` is aborted. Nothing ends the loop otherwise. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.wake(), { once: true });
    while (!signal.aborted) {
      this.#alarm = new AbortController();
      await this.#rounds
        .run('/', signal, () => this.#tick(signal))
        .catch((failure: unknown) => this.#failed(failure, signal));
      const napMs = this.#settings.disabled ? longestNapMs : Math.max(lookMs, this.#untilDueMs());
      if (!signal.aborted) await this.clock.sleep(napMs, this.#alarm.signal);
    }
  }

  /** Ends the period now and begins a new one. Throws BAD_VALUE when compactions are disabled, CANCELLED. */
  async runNow(signal: AbortSignal): Promise<void> {
    if (this.#settings.disabled)
      throw new ColdpgsError('BAD_VALUE', 'EINVAL', 'Compaction is disabled: write false to disabled first.');
    await this.#rounds.run('/', signal, async () => {
      this.#periodStart ??= await this.#begun();
      await this.clock.sleep(lookMs, signal);
      if (!signal.aborted) await this.#endPeriod(signal);
    });
    this.wake();
    if (signal.aborted) throw cancelledRun('compaction');
  }

  /**
   * Compacts a node, or the whole machine, now, whatever the settings and the pressure, in so many passes at most; in its turn with compactions by itself. Killed when `signal` is aborted.
   * Throws CANCELLED before it begins, KERNEL_REFUSED when it cannot be started.
   */
  async compactNow(node: number | undefined, passes: number, signal: AbortSignal): Promise<CompactionResult> {
    return this.#rounds.run('/', signal, () =>
      this.#inPasses({ node, order: hugeOrder, passes }, async () => (signal.aborted ? 'cancelled' : undefined)),
    );
  }

  wake(): void {
    this.#alarm.abort();
  }

  async #tick(signal: AbortSignal): Promise<void> {
    if (this.#settings.disabled) return;
    if (!this.#periodStart) this.#periodStart = await this.#begun();
    else if (this.#untilDueMs() <= 0) await this.#endPeriod(signal);
  }

  async #endPeriod(signal: AbortSignal): Promise<void> {
    const before = this.#periodStart?.sample;
    const begun = await this.#begun();
    // Where it could not be read, a next look in a second may.
    this.#periodStart = begun.sample && begun;
    const percent = before && begun.sample && pressurePercent(before, begun.sample);
    if (this.#going) return this.#note(false, 'still_running', percent);
    if (percent === undefined) return this.#note(false, 'psi_unreadable', percent);
    const now = await this.kernel.compaction.freeMemory();
    const outlook = { pressurePercent: percent, now, before: this.#left, periodsWithout: this.periodsWithout };
    const { run, reason } = decideCompaction(this.#settings, outlook, this.kernel.pageBytes);
    if (run) await this.#compact(reason, signal, () => this.#note(run, reason, percent));
    else this.#note(run, reason, percent);
  }

  /** Throws KERNEL_REFUSED when it cannot be started, and then `onStart` was not called. */
  async #compact(reason: CompactionReason, signal: AbortSignal, onStart: () => void): Promise<void> {
    const at = new Date();
    const startMs = this.clock.nowMs();
    const guard = new PressureGuard(this.kernel, this.clock, '/', 'tree', this.#settings.compact_psi_percent_limit);
    const order = this.#settings.compact_order;
    const result = await this.#inPasses(
      { order, passes: mostPasses },
      (ended) => this.#reasonToKill(guard, this.clock.nowMs() - startMs, signal, ended),
      onStart,
    );
    this.lastRun = { at, reason, ...result, tookMs: this.clock.nowMs() - startMs };
    this.outcomes.set(result.outcome, (this.outcomes.get(result.outcome) ?? 0) + 1);
    this.log.info({ ...this.lastRun }, 'compacted');
    this.#left = await this.#freeMemoryLeft();
  }

  /** undefined where that cannot be read: the next compaction is judged as the first is. */
  #freeMemoryLeft(): Promise<FreeMemory | undefined> {
    return this.kernel.compaction.freeMemory().catch((failure: unknown) => {
      this.log.warn({ failure: sentenceOf(failure) }, 'what a compaction left free cannot be read');
      return undefined;
    });
  }

  /** Passes over a node, or over all of them, for blocks of an order; the first that ends in another way than "done" is the last. */
  async #inPasses(
    { node, order, passes }: { readonly node?: number | undefined; readonly order: number; readonly passes: number },
    reasonToKill: ReasonToKill,
    onStart: () => void = () => undefined,
  ): Promise<CompactionResult> {
    const atFirst = this.#free(node, order).blocks;
    await drainProcessorLists(this.kernel, this.log);
    for (let pass = 1, before = atFirst; ; pass++) {
      const going = this.#begin(node);
      if (pass === 1) onStart();
      const outcome = await this.#watch(going, reasonToKill);
      await drainProcessorLists(this.kernel, this.log);
      const { blocks, inFragments } = this.#free(node, order);
      const helps = inFragments >= worthAnotherPass && (pass === 1 || blocks - before >= worthAnotherPass);
      if (outcome !== 'done' || pass === passes || !helps) return { outcome, blocksGained: blocks - atFirst };
      before = blocks;
    }
  }

  /** Free blocks of an order, of a node or of all of them, and how many the smaller ones would make. */
  #free(node: number | undefined, order: number): { readonly blocks: number; readonly inFragments: number } {
    let [blocks, pages] = [0, 0];
    for (const [one, blocksByOrder] of this.kernel.compaction.freeBlocksByNode()) {
      if (node !== undefined && one !== node) continue;
      blocks += freeBlocks({ blocksByOrder }, order);
      pages += smallPages({ blocksByOrder }, order);
    }
    return { blocks, inFragments: pages / 2 ** order };
  }

  #begin(node?: number): CompactionRun {
    const going = this.kernel.compaction.start(node);
    this.#going = going;
    void going.ended.then(() => (this.#going = undefined));
    return going;
  }

  /** Waits for the end of a compaction, and kills it when it must not go on. */
  async #watch(going: CompactionRun, reasonToKill: ReasonToKill): Promise<CompactionOutcome> {
    let end: CompactionEnd | undefined;
    const ended = new AbortController();
    void going.ended.then((how) => {
      end = how;
      ended.abort();
    });
    let killedFor: CompactionOutcome | undefined;
    let killedMs = 0;
    while (end === undefined) {
      killedFor ??= await reasonToKill(ended.signal);
      if (killedFor && end === undefined) {
        if (killedMs === 0) killedMs = this.clock.nowMs();
        going.kill();
        if (this.clock.nowMs() - killedMs >= dyingMs) return 'does_not_end';
      }
      await this.clock.sleep(lookMs, ended.signal);
    }
    return end === 'killed' ? (killedFor ?? 'cancelled') : end;
  }

  async #reasonToKill(
    guard: PressureGuard,
    elapsedMs: number,
    signal: AbortSignal,
    ended: AbortSignal,
  ): Promise<CompactionOutcome | undefined> {
    const { disabled, compact_sec_max } = this.#settings;
    if (signal.aborted) return 'cancelled';
    if (disabled) return 'disabled';
    if (elapsedMs >= compact_sec_max * 1000) return 'too_long';
    // What cannot be read any more cannot be kept within its limit.
    const isWithin = await guard.isWithin(ended).catch(this.#unreadable);
    return isWithin ? undefined : isWithin === false ? 'psi_exceeds_limit' : 'psi_unreadable';
  }

  readonly #unreadable = (failure: unknown): void => {
    this.log.warn({ failure: sentenceOf(failure) }, 'pressure of the machine cannot be read: not compacted');
  };

  #note(ran: boolean, reason: CompactionReason, percent: number | undefined): void {
    this.lastPeriod = { at: new Date(), ran, reason, pressurePercent: percent };
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
    this.periodsWithout = ran ? 0 : this.periodsWithout + 1;
    this.log.debug({ ran, reason, percent }, 'a period of compaction ended');
  }

  #failed(failure: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#note(false, 'error', undefined);
    this.log.error({ failure: sentenceOf(failure) }, 'a round of compaction failed; the next one comes as usual');
  }

  #untilDueMs(): number {
    return this.#periodStart ? this.#periodStart.atMs + this.#settings.period_secs * 1000 - this.clock.nowMs() : 0;
  }

  #begun(): Promise<PeriodStart> {
    return new PressureReader(this.kernel, this.clock).start('/', 'tree', this.#unreadable);
  }
}
