import { sentenceOf } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { AgingTarget, Kernel } from '../kernel/kernel.js';
import { type Generation, hasPages, type LruGenMemcg, OFFLINE_ID } from '../kernel/lru-gen.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import type { AgingBudget } from './aging-budget.js';
import type { Census } from './census.js';
import { type AgingIntervals, earlyAgings } from './coldness.js';
import { type CpuReading, Resting } from './resting.js';
import { Retried } from './retried.js';
import { inSlices } from './slices.js';

/** What the aging clock must know of the engine around it. */
export interface AgingSurroundings {
  /** The scan period in milliseconds; 0 is off. */
  periodMs(): number;
  /** How many milliseconds between two agings those need who want to know ages of a memcg on a node, as it is at this moment. */
  intervals(): AgingIntervals;
  /** Whether a run works on the memcg: an aging now would take the ground from under it. */
  isBusy(path: string): boolean;
  /** Called before the agings of a round that ends with a look: they clear traces of use. */
  beforeAgings?(atMs: number, signal: AbortSignal): Promise<void> | undefined;
  /** Called with each listing, and the time it was made at. */
  onLook(listed: readonly LruGenMemcg[], atMs: number, signal: AbortSignal): Promise<void>;
}

/** One memcg on one node, as the clock has it in mind between two looks. */
interface Aged {
  readonly id: string;
  readonly path: string;
  readonly node: number;
  youngestSeq: bigint;
  /** When its youngest generation was made, or would have been, had it been worth it. */
  bornMs: number;
  /** Pages in all generations, and in all but the oldest. */
  pages: number;
  youngerPages: number;
  /** CPU time used when it was last aged with all pages in the oldest; undefined before. */
  cpu: CpuReading | undefined;
  /** Nothing of it ran between the birth of that generation and then. */
  quiet: { readonly seq: bigint; readonly untilMs: number } | undefined;
}

/** How long to wait before looking again at memcgs that were due but busy. */
const busyRetryMs = 500;
/** With the scan period at 0 the clock sleeps: a change wakes it. */
const offNapMs = 3_600_000;
/** Never look more often than this. */
const shortestNapMs = 200;
/** Few memcgs that are aged once a look come earlier by up to this share, once: from then on they are aged right after what agings clear was looked at. */
const earlyWithLook = 0.5;
/** Agings at most in one go while more are due: those that are left follow with the next ones, and keep that distance from then on. */
const fewestAtOnce = 32;

/**
 * The aging clock: makes a new generation in every memcg and node once per its interval, so that generation borders lie where thresholds need
 * them, and looks at all of them once a scan period. A memcg is due when its youngest generation is as old as its interval; agings that the
 * kernel did by itself count as well, from the next look on. Memcgs that have nothing to age are left alone.
 */
export class Aging {
  #alarm = new AbortController();
  /** By path, node by node. */
  #aged = new Map<string, readonly Aged[]>();
  /** When the latest round began, or the period was written: the next round is one interval from then. */
  #roundBeganMs = -Infinity;
  readonly #resting: Resting;
  /** The three parts of a round: each goes on while another fails. */
  readonly #seeingUse: Retried;
  readonly #agings: Retried;
  readonly #looks: Retried;

  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    private readonly census: Census,
    private readonly budget: AgingBudget,
    private readonly log: Log,
    private readonly surroundings: AgingSurroundings,
  ) {
    this.#resting = new Resting((path) => kernel.memcgs.cpuUsageUs(path));
    this.#seeingUse = new Retried('looking for use before agings', log);
    this.#agings = new Retried('aging memcgs', log);
    this.#looks = new Retried('looking at memcgs', log);
  }

  /** Ages memcgs as they become due, until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.wake(), { once: true });
    while (!signal.aborted) {
      this.#alarm = new AbortController();
      const napMs = await this.tick(signal);
      if (!signal.aborted) await this.clock.sleep(napMs, this.#alarm.signal);
    }
  }

  /** Ends the present nap: a threshold has changed, and something may be due. */
  wake(): void {
    this.#alarm.abort();
  }

  /** The scan period has changed: the next look is one new period from now, or at once after it was off. */
  periodChanged(beforeMs: number): void {
    this.#roundBeganMs = beforeMs === 0 ? -Infinity : this.clock.nowMs();
    if (this.surroundings.periodMs() === 0) this.#aged.clear();
    this.budget.restart();
    this.wake();
  }

  /** Until when nothing of a memcg ran since its last aging; undefined where it is not known to have rested. */
  quietUntilMs({ id, path }: LruGenMemcg): number | undefined {
    let untilMs: number | undefined;
    for (const aged of this.#aged.get(path) ?? []) {
      if (aged.id !== id || aged.pages === 0) continue;
      if (aged.quiet === undefined) return undefined;
      untilMs = Math.min(aged.quiet.untilMs, untilMs ?? Infinity);
    }
    return untilMs;
  }

  /** Ages what is due now, and looks when it is time. Answers the milliseconds until something is due again. */
  async tick(signal: AbortSignal): Promise<number> {
    if (this.surroundings.periodMs() === 0) return offNapMs;
    if (this.#untilLookMs() <= this.#lookIntervalMs() * earlyAgings) await this.#round(signal);
    const napMs = await this.#ageWhatIsDue(signal);
    return Math.max(shortestNapMs, Math.min(napMs, this.#untilLookMs()));
  }

  /** What an aging clears is looked at, then agings, then the look: however they end, the next round comes when it is time. */
  async #round(signal: AbortSignal): Promise<void> {
    // Set before all of it: a period that is written at any moment of the round sets it anew.
    const beganMs = (this.#roundBeganMs = this.clock.nowMs());
    const askedMs = this.surroundings.periodMs();
    const seeUse = async (): Promise<void> => this.surroundings.beforeAgings?.(this.clock.nowMs(), signal);
    await this.#seeingUse.attempt(() => this.budget.spend(seeUse), undefined);
    await this.#ageWhatIsDue(signal, true);
    if (this.surroundings.periodMs() === 0) return;
    await this.#looks.attempt(() => this.budget.spend(() => this.#look(signal)), undefined);
    this.budget.endRound((this.clock.nowMs() - beganMs) / askedMs);
  }

  async #look(signal: AbortSignal): Promise<void> {
    const listed = await this.kernel.lruGen.read();
    const atMs = this.clock.nowMs();
    const before = this.#aged;
    const aged = new Map<string, readonly Aged[]>();
    const intervalMsOf = this.#intervals();
    await inSlices(listed, (memcg) => {
      if (memcg.id === OFFLINE_ID || !hasPages(memcg)) return;
      let longestIntervalMs = 0;
      for (const { node } of memcg.nodes)
        longestIntervalMs = Math.max(longestIntervalMs, intervalMsOf(memcg.path, node));
      this.census.note(memcg, atMs, longestIntervalMs * 0.45);
      aged.set(memcg.path, agedNodes(memcg, before.get(memcg.path), atMs));
    });
    // Switched off meanwhile: nothing is to be aged.
    if (this.surroundings.periodMs() === 0) return;
    this.#aged = aged;
    this.census.keepOnly(listed);
    await this.surroundings.onLook(listed, atMs, signal);
    for (const nodes of aged.values())
      for (const one of nodes) if (one.quiet?.seq !== one.youngestSeq) one.quiet = undefined;
  }

  /** Answers the milliseconds until more is due; what failed is due again with the next look. */
  #ageWhatIsDue(signal: AbortSignal, withLook = false): Promise<number> {
    return this.#agings.attempt(() => this.budget.spend(() => this.#ageDue(signal, withLook)), Infinity);
  }

  async #ageDue(signal: AbortSignal, withLook: boolean): Promise<number> {
    const nowMs = this.clock.nowMs();
    const lookIntervalMs = this.#lookIntervalMs();
    const due: Aged[] = [];
    const nearlyDue: Aged[] = [];
    let napMs = Infinity;
    let perMs = 0;
    const intervalMsOf = this.#intervals();
    for (const nodes of this.#aged.values())
      for (const aged of nodes) {
        if (aged.pages === 0) continue;
        const intervalMs = intervalMsOf(aged.path, aged.node);
        perMs += 1 / intervalMs;
        const untilDueMs = aged.bornMs + intervalMs - nowMs;
        if (untilDueMs > intervalMs * earlyAgings) {
          napMs = Math.min(napMs, untilDueMs);
          if (intervalMs <= lookIntervalMs && untilDueMs <= intervalMs * earlyWithLook) nearlyDue.push(aged);
        } else if (this.surroundings.isBusy(aged.path)) napMs = Math.min(napMs, busyRetryMs);
        else due.push(aged);
      }
    const sliceMs = Math.min(1000, Math.max(shortestNapMs, this.surroundings.periodMs() * earlyAgings));
    const atOnce = Math.max(fewestAtOnce, Math.ceil(perMs * sliceMs * 1.5));
    if (due.length > atOnce) {
      due.sort((one, other) => one.bornMs - other.bornMs);
      napMs = Math.min(napMs, sliceMs);
    }
    const joining = nearlyDue.filter(({ path }) => !this.surroundings.isBusy(path));
    if (withLook && due.length + joining.length <= fewestAtOnce) due.push(...joining);
    await this.#age(due.slice(0, atOnce), signal);
    return napMs;
  }

  async #age(due: readonly Aged[], signal: AbortSignal): Promise<void> {
    await this.#resting.begin(due.filter(mayRest).map(({ path }) => path));
    const awake: Aged[] = [];
    for (const aged of due) if (!signal.aborted && !(mayRest(aged) && (await this.#rests(aged)))) awake.push(aged);
    // Runs may have begun while the kernel was asked.
    const free = awake.filter(({ path }) => !this.surroundings.isBusy(path));
    if (free.length === 0 || signal.aborted) return;
    const startMs = this.clock.nowMs();
    const targets = free.map((aged): AgingTarget => {
      const { id, path, node, youngestSeq } = aged;
      return { id, path, node, maxSeq: youngestSeq };
    });
    const refusals = await this.kernel.lruGen.age(targets);
    const refused = new Set(refusals.map(({ target }) => target));
    free.forEach((aged, index) => {
      aged.bornMs = startMs;
      const target = targets[index];
      if (target && !refused.has(target)) aged.youngestSeq++;
    });
    for (const { target, error } of refusals)
      this.log.debug({ memcg: toText(target.path), node: target.node, refusal: sentenceOf(error) }, 'not aged');
  }

  /**
   * Whether an aging would find and change nothing of a memcg that may rest: none of its tasks ran since it was last aged. Its borders get older by
   * themselves.
   */
  async #rests(aged: Aged): Promise<boolean> {
    const nowMs = this.clock.nowMs();
    const before = aged.cpu;
    aged.cpu = await this.#resting.read(aged.path, before);
    if (aged.cpu && aged.cpu.usageUs === before?.usageUs) {
      aged.quiet = { seq: aged.youngestSeq, untilMs: nowMs };
      aged.bornMs = nowMs;
      return true;
    }
    return false;
  }

  #untilLookMs(): number {
    return this.#roundBeganMs + this.#lookIntervalMs() - this.clock.nowMs();
  }

  #lookIntervalMs(): number {
    return this.surroundings.periodMs() * this.budget.stretch;
  }

  #intervals(): AgingIntervals {
    const asked = this.surroundings.intervals();
    const { stretch } = this.budget;
    return (path, node) => asked(path, node) * stretch;
  }
}

/** The nodes of a memcg after a look, with what is known of them from the look before. */
function agedNodes({ id, path, nodes }: LruGenMemcg, before: readonly Aged[] | undefined, atMs: number): Aged[] {
  const aged: Aged[] = [];
  for (const { node, generations } of nodes) {
    const youngest = generations.at(-1);
    if (!youngest) continue;
    const known = before?.find((one) => one.node === node && one.id === id);
    const same = known?.youngestSeq === youngest.seq ? known : undefined;
    const bornMs = atMs - youngest.ageMs;
    const quiet = same?.quiet;
    aged.push({
      id,
      path,
      node,
      youngestSeq: youngest.seq,
      bornMs: quiet?.seq === youngest.seq ? Math.max(bornMs, quiet.untilMs) : bornMs,
      pages: pagesOf(generations, 0),
      youngerPages: pagesOf(generations, 1),
      cpu: same?.cpu,
      quiet,
    });
  }
  return aged;
}

/** Whether all pages are in the oldest generation, not just where they can be evicted: before 6.16 the kernel turns to page cache where the oldest has no anonymous page. */
function mayRest({ youngerPages }: Aged): boolean {
  return youngerPages === 0;
}

function pagesOf(generations: readonly Generation[], first: number): number {
  let pages = 0;
  for (let index = first; index < generations.length; index++) {
    const generation = generations[index];
    if (generation) pages += generation.anonPages + generation.filePages;
  }
  return pages;
}
