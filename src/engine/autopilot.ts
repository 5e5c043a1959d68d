import { ColdpgsError, sentenceOf } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import { AutopilotBook, type Watched } from './autopilot-book.js';
import { autopilotAgingMs, coldMs } from './autopilot-coldness.js';
import type { AgingIntervals } from './coldness.js';
import { conflictOf, type MemcgOverride, MemcgOverrides } from './autopilot-overrides.js';
import { AutopilotPeriod, type Group, type PeriodSurroundings, pressureScopeOf } from './autopilot-period.js';
import { defaultMemcgSettings, type MemcgSettings } from './autopilot-settings.js';
import { PressureReader } from './pressure.js';
import { shortestWindowMs } from './pressure-guard.js';
import type { Problems } from './problems.js';
import type { ColdPages } from './reclaim-plan.js';
import type { SeenMemcg } from './tracker.js';
import { Turns } from './turns.js';

/** What the autopilot must know of the engine around it. */
export interface AutopilotSurroundings extends PeriodSurroundings {
  /** What is proven idle for `idleMs` now, for every memcg that has something, by path. */
  coldPages(
    idleMs: (path: string) => number,
    paths: ReadonlySet<string>,
  ): Promise<ReadonlyMap<string, readonly ColdPages[]>>;
  /** The intervals between agings have changed. */
  wakeAging(): void;
}

/** Runs of the autopilot side by side: one fewer than runs altogether, so that one who writes a file does not wait for all of them. */
const runsAtOnce = 3;
/** Periods end together where they lie within this share of one. */
const togetherShare = 0.05;
const longestNapMs = 3_600_000;
const shortestNapMs = 200;
/** So often is looked whether what is in a round may be due again. */
const lookMs = 1000;

/**
 * Reclaims by itself: every period, in each memcg, what several agings in a row found unused, as long as tasks there do not have to wait for memory or
 * I/O more than a limit. The agings are those of the aging clock, which goes by `agingIntervals`.
 */
export class Autopilot {
  readonly book = new AutopilotBook();
  #common: MemcgSettings = defaultMemcgSettings;
  readonly #overrides = new MemcgOverrides();
  #alarm = new AbortController();
  /** Those that the loop began and that have not ended. */
  readonly #rounds = new Set<Promise<void>>();
  /** What is in a round: it is in no other one until that has come to it. */
  readonly #inRound = new Set<Watched>();
  readonly #runsNow = new Turns(1);
  /** The ends of periods, whatever round they are of. */
  readonly #ends = new Turns(runsAtOnce);
  readonly #period: AutopilotPeriod;
  #hasToldOfMachine = false;

  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    private readonly hasPressure: () => boolean,
    private readonly problems: Problems,
    private readonly log: Log,
    private readonly surroundings: AutopilotSurroundings,
  ) {
    this.#period = new AutopilotPeriod(kernel, clock, problems, log, surroundings, (path, node) =>
      this.#settingsOf(path, node),
    );
  }

  /** The settings of all memcgs that have none of their own. */
  get settings(): MemcgSettings {
    return this.#common;
  }

  get overrides(): readonly MemcgOverride[] {
    return this.#overrides.list();
  }

  /**
   * Changes settings, all or none; no change makes a run come sooner. Throws BAD_VALUE where overrides contradict each other, and NO_PRESSURE when it
   * would enable the autopilot on a machine without pressure stall information.
   */
  change({
    settings = {},
    overrides,
  }: {
    settings?: Partial<MemcgSettings>;
    overrides?: readonly MemcgOverride[];
  }): void {
    const common = { ...this.#common, ...settings };
    const all = overrides ?? this.overrides;
    const conflict = conflictOf(all);
    if (conflict !== undefined)
      throw new ColdpgsError(
        'BAD_VALUE',
        'EINVAL',
        `Of the memcgs with settings of their own, ${conflict}. Nothing was changed.`,
      );
    const enables = [common, ...all.map((one) => ({ ...common, ...one.settings }))].some((one) => !one.disabled);
    if (enables && !this.hasPressure()) throw noPressure('reclaim memcgs');
    if (enables) this.#tellOfMachine();
    this.#common = common;
    if (overrides) this.#overrides.replace(overrides);
    this.book.reconsider(this.clock.nowMs(), this.#settingsOf);
    this.log.info(
      { ...settings, ...(overrides && { overrides: overrides.length }) },
      'settings of the autopilot have changed',
    );
    this.wake();
    this.surroundings.wakeAging();
  }

  /** The time between agings that it needs, by its settings at this moment; 0 where it has nothing to do. */
  agingIntervals(): AgingIntervals {
    const commonMs = intervalMsOf(this.#common);
    if (this.#overrides.isEmpty) return () => commonMs;
    return (path, node) => intervalMsOf(this.#settingsOf(path, node));
  }

  /** Takes over a look of the aging clock. */
  async observe(seen: readonly SeenMemcg[], atMs: number): Promise<void> {
    const own = this.kernel.memcgs.own();
    if (await this.book.observe(seen, atMs, this.#settingsOf, (path) => path === own)) this.wake();
  }

  /** Ends periods as they come to their end, until `signal` is aborted. Nothing ends the loop otherwise. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.wake(), { once: true });
    while (!signal.aborted) {
      this.#alarm = new AbortController();
      let napMs = lookMs;
      try {
        napMs = await this.tick(signal);
      } catch (failure) {
        if (!signal.aborted) this.#failed(failure);
      }
      if (!signal.aborted) await this.clock.sleep(napMs, this.#alarm.signal);
    }
    await Promise.all(this.#rounds);
  }

  /** Begins the periods that are due, and a round that ends those that are, without waiting for it. Answers the milliseconds until there is more to do. */
  async tick(signal: AbortSignal): Promise<number> {
    await this.#beginPeriods();
    const nowMs = this.clock.nowMs();
    const round = this.#round(
      (watched) => this.#untilDueMs(watched, nowMs) <= watched.settings.period_secs * 1000 * togetherShare,
      signal,
    )
      .catch((failure: unknown) => this.#failed(failure))
      .finally(() => this.#rounds.delete(round));
    this.#rounds.add(round);
    const next = Math.min(longestNapMs, ...this.#enabled().map((watched) => this.#untilDueMs(watched, nowMs)));
    return Math.max(shortestNapMs, next);
  }

  /** Ends every period now and begins a new one. Throws BAD_VALUE when the autopilot is disabled everywhere, CANCELLED. */
  async runNow(signal: AbortSignal): Promise<void> {
    if (this.#isOff())
      throw new ColdpgsError('BAD_VALUE', 'EINVAL', 'The autopilot is disabled: write false to disabled first.');
    await this.#runsNow.run('/', signal, async () => {
      await this.#beginPeriods();
      await this.clock.sleep(shortestWindowMs, signal);
      const underWay = Promise.all(this.#rounds);
      await this.#round(() => true, signal);
      if (!signal.aborted) await Promise.race([underWay, abortOf(signal)]);
    });
    this.wake();
    if (signal.aborted) throw cancelledRun('the autopilot');
  }

  wake(): void {
    this.#alarm.abort();
  }

  #failed(failure: unknown): void {
    this.problems.report('mem_agent', `a round failed, the next one comes as usual: ${sentenceOf(failure)}`);
  }

  /** Once, when somebody first asks for the autopilot. */
  #tellOfMachine(): void {
    if (this.#hasToldOfMachine || this.kernel.pressure.scope === 'memcg') return;
    this.#hasToldOfMachine = true;
    this.log.warn({}, 'this kernel keeps no pressure by memcg: that of the whole machine stands in for each');
  }

  /** A period begins with a first sample of pressure. Where there is none its end is counted as such. */
  async #beginPeriods(): Promise<void> {
    const reader = new PressureReader(this.kernel, this.clock);
    for (const watched of this.#enabled()) {
      if (watched.periodStart || this.#inRound.has(watched)) continue;
      watched.periodStart = await reader.start(watched.memcg.path, pressureScopeOf(watched.memcg.path));
    }
  }

  /** Ends the periods that are due and in no other round. */
  async #round(isDue: (watched: Watched) => boolean, signal: AbortSignal): Promise<void> {
    const groups = groupsOf(this.#enabled().filter((watched) => !this.#inRound.has(watched) && isDue(watched)));
    if (groups.length === 0) return;
    for (const { watched } of groups) for (const one of watched) this.#inRound.add(one);
    const idleMsByPath = new Map<string, number>();
    for (const { memcg, settings } of groups)
      idleMsByPath.set(memcg.path, Math.min(coldMs(settings), idleMsByPath.get(memcg.path) ?? Infinity));
    const cold = await this.surroundings
      .coldPages((path) => idleMsByPath.get(path) ?? Infinity, new Set(idleMsByPath.keys()))
      .catch((failure: unknown) => void this.#failed(failure));
    const reader = new PressureReader(this.kernel, this.clock);
    const worker = async (): Promise<void> => {
      for (let group = groups.shift(); group; group = groups.shift()) {
        const { memcg, watched } = group;
        const end = (): Promise<void> => this.#end(group, cold && (cold.get(memcg.path) ?? []), reader, signal);
        await this.#ends.run(memcg.path, signal, end).catch((failure: unknown) => {
          if (!signal.aborted) this.#failed(failure);
        });
        for (const one of watched) this.#inRound.delete(one);
      }
    };
    await Promise.all(Array.from({ length: runsAtOnce }, worker));
  }

  async #end(
    group: Group,
    cold: readonly ColdPages[] | undefined,
    reader: PressureReader,
    signal: AbortSignal,
  ): Promise<void> {
    const { memcg, watched } = group;
    // Its settings have changed while it waited: its period begins anew.
    if (watched.some(({ periodStart }) => !periodStart)) return;
    const end = await this.#period.end(group, cold, reader, signal);
    this.book.note(watched, end);
    this.log.debug({ memcg: toText(memcg.path), nodes: watched.map(({ node }) => node), end }, 'a period ended');
  }

  #untilDueMs(watched: Watched, nowMs: number): number {
    const { periodStart, settings } = watched;
    const dueMs = periodStart ? periodStart.atMs + settings.period_secs * 1000 - nowMs : 0;
    return this.#inRound.has(watched) ? Math.max(lookMs, dueMs) : dueMs;
  }

  #enabled(): Watched[] {
    return this.#isOff() ? [] : [...this.book.all()].filter(({ settings }) => !settings.disabled);
  }

  #isOff(): boolean {
    return this.#common.disabled && this.overrides.every(({ settings }) => settings.disabled !== false);
  }

  readonly #settingsOf = (path: string, node: number): MemcgSettings =>
    this.#overrides.settingsOf(path, node, this.#common);
}

/** The refusal to do something by pressure where the kernel keeps none. */
export function noPressure(what: string): ColdpgsError {
  return new ColdpgsError(
    'NO_PRESSURE',
    'EOPNOTSUPP',
    `coldpgs does not ${what} by itself without pressure stall information, which this kernel has not: boot with psi=1 (CONFIG_PSI). Everything else works.`,
  );
}

/** What who wrote to a `run` file and was interrupted is told. */
export function cancelledRun(of: string): ColdpgsError {
  return new ColdpgsError(
    'CANCELLED',
    'EINTR',
    `The run of ${of} was cancelled before its end: status says what it did until then.`,
  );
}

function abortOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function intervalMsOf(settings: MemcgSettings): number {
  return settings.disabled ? 0 : autopilotAgingMs(settings);
}

function groupsOf(all: readonly Watched[]): Group[] {
  const groups = new Map<string, { memcg: Memcg; settings: MemcgSettings; watched: Watched[] }>();
  for (const one of all) {
    const key = `${one.memcg.inode} ${JSON.stringify(one.settings)}`;
    const group = groups.get(key);
    if (group) group.watched.push(one);
    else groups.set(key, { memcg: one.memcg, settings: one.settings, watched: [one] });
  }
  return [...groups.values()];
}
