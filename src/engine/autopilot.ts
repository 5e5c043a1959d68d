import { ColdpgsError, sentenceOf } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import { AutopilotBook, type PeriodEnd, type Watched } from './autopilot-book.js';
import { autopilotAgingMs, coldMs, coldPeriods, withinSwappiness } from './autopilot-coldness.js';
import { conflictOf, type MemcgOverride, MemcgOverrides } from './autopilot-overrides.js';
import { defaultMemcgSettings, type MemcgSettings } from './autopilot-settings.js';
import type { PageType } from './eviction.js';
import { pressurePercent, PressureReader, type PressureSample, type PressureScope } from './pressure.js';
import { PressureGuard, shortestWindowMs } from './pressure-guard.js';
import type { Problems } from './problems.js';
import type { ReclaimOutcome } from './reclaim.js';
import type { ColdPages } from './reclaim-plan.js';
import type { ReclaimRequest } from './run.js';
import type { SeenMemcg } from './tracker.js';
import { Turns } from './turns.js';

/** What the autopilot must know of the engine around it. */
export interface AutopilotSurroundings {
  /** The scan period in milliseconds; 0 is off, and then nothing is known of any memcg. */
  scanPeriodMs(): number;
  /** What is proven idle for `idleMs` now, for every memcg that has something, by path. */
  coldPages(
    idleMs: (path: string) => number,
    paths: ReadonlySet<string>,
  ): Promise<ReadonlyMap<string, readonly ColdPages[]>>;
  /** A run, when its turn comes. */
  evict(request: Omit<ReclaimRequest, 'stepPages'>, signal: AbortSignal): Promise<ReclaimOutcome>;
  /** Why anonymous memory of the memcg cannot be swapped; undefined when it can. */
  obstacleToSwap(memcg: Memcg): Promise<string | undefined>;
  /** The intervals between agings have changed. */
  wakeAging(): void;
}

/** Runs of the autopilot side by side: one fewer than runs altogether, so that one who writes a file does not wait for all of them. */
const runsAtOnce = 3;
/** Less swap than this is none. (mem-agent: swap_not_available.) */
const leastSwapPages = 256;
/** Periods end together where they lie within this share of one. */
const togetherShare = 0.05;
const longestNapMs = 3_600_000;
const shortestNapMs = 200;

/** Memcgs on nodes that go by the same settings: one run takes them all. */
interface Group {
  readonly memcg: Memcg;
  readonly settings: MemcgSettings;
  readonly watched: readonly Watched[];
}

/**
 * Reclaims by itself: every period, in each memcg, what several agings in a row found unused, as long as tasks there do not have to wait for memory or
 * I/O more than a limit. The agings are those of the aging clock, which goes by `agingIntervalMs`.
 */
export class Autopilot {
  readonly book = new AutopilotBook();
  #common: MemcgSettings = defaultMemcgSettings;
  readonly #overrides = new MemcgOverrides();
  #alarm = new AbortController();
  readonly #rounds = new Turns(1);

  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    private readonly hasPressure: () => boolean,
    private readonly problems: Problems,
    private readonly log: Log,
    private readonly surroundings: AutopilotSurroundings,
  ) {}

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

  /** Milliseconds between agings that a memcg needs on a node; undefined where the autopilot has nothing to do with it. */
  agingIntervalMs(path: string, node: number): number | undefined {
    const settings = this.#settingsOf(path, node);
    return settings.disabled ? undefined : autopilotAgingMs(settings);
  }

  /** Takes over a look of the aging clock. */
  observe(seen: readonly SeenMemcg[], atMs: number): void {
    const own = this.kernel.memcgs.own();
    if (this.book.observe(seen, atMs, this.#settingsOf, (path) => path === own)) this.wake();
  }

  /** Ends periods as they come to their end, until `signal` is aborted. Nothing ends the loop otherwise. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.wake(), { once: true });
    while (!signal.aborted) {
      this.#alarm = new AbortController();
      let napMs = 1000;
      try {
        napMs = await this.tick(signal);
      } catch (failure) {
        if (!signal.aborted)
          this.log.error(
            { failure: sentenceOf(failure) },
            'a round of the autopilot failed; the next one comes as usual',
          );
      }
      if (!signal.aborted) await this.clock.sleep(napMs, this.#alarm.signal);
    }
  }

  /** Begins and ends the periods that are due. Answers the milliseconds until the next is. */
  async tick(signal: AbortSignal): Promise<number> {
    await this.#rounds.run('/', signal, async () => {
      await this.#beginPeriods();
      const nowMs = this.clock.nowMs();
      await this.#round(
        (watched) => this.#untilDueMs(watched, nowMs) <= watched.settings.period_secs * 1000 * togetherShare,
        signal,
      );
    });
    const nowMs = this.clock.nowMs();
    const next = Math.min(longestNapMs, ...this.#enabled().map((watched) => this.#untilDueMs(watched, nowMs)));
    return Math.max(shortestNapMs, next);
  }

  /** Ends every period now and begins a new one. Throws BAD_VALUE when the autopilot is disabled everywhere, CANCELLED. */
  async runNow(signal: AbortSignal): Promise<void> {
    if (this.#isOff())
      throw new ColdpgsError('BAD_VALUE', 'EINVAL', 'The autopilot is disabled: write false to disabled first.');
    await this.#rounds.run('/', signal, async () => {
      await this.#beginPeriods();
      await this.clock.sleep(shortestWindowMs, signal);
      await this.#round(() => true, signal);
    });
    this.wake();
  }

  wake(): void {
    this.#alarm.abort();
  }

  /** A period begins with a first sample of pressure. */
  async #beginPeriods(): Promise<void> {
    const reader = new PressureReader(this.kernel, this.clock);
    for (const watched of this.#enabled()) {
      if (watched.periodStart) continue;
      watched.periodStart = await this.#sample(reader, watched.memcg.path).catch(() => undefined);
    }
  }

  async #round(isDue: (watched: Watched) => boolean, signal: AbortSignal): Promise<void> {
    const groups = groupsOf(this.#enabled().filter(isDue));
    if (groups.length === 0) return;
    const idleMsByPath = new Map<string, number>();
    for (const { memcg, settings } of groups)
      idleMsByPath.set(memcg.path, Math.min(coldMs(settings), idleMsByPath.get(memcg.path) ?? Infinity));
    const cold = await this.surroundings.coldPages(
      (path) => idleMsByPath.get(path) ?? Infinity,
      new Set(idleMsByPath.keys()),
    );
    const reader = new PressureReader(this.kernel, this.clock);
    const worker = async (): Promise<void> => {
      for (let group = groups.shift(); group && !signal.aborted; group = groups.shift()) {
        const { memcg, watched } = group;
        const end = await this.#endPeriod(group, cold.get(memcg.path) ?? [], reader, signal);
        this.book.note(watched, end);
        this.log.debug({ memcg: toText(memcg.path), nodes: watched.map(({ node }) => node), end }, 'a period ended');
      }
    };
    await Promise.all(Array.from({ length: runsAtOnce }, worker));
  }

  /** The end of a group's period and the beginning of its next: the gates, then the eviction. */
  async #endPeriod(
    group: Group,
    cold: readonly ColdPages[],
    reader: PressureReader,
    signal: AbortSignal,
  ): Promise<PeriodEnd> {
    const { memcg, settings, watched } = group;
    try {
      const gate = await this.#gate(group, reader);
      if (gate !== undefined) return gate;
      if (this.surroundings.scanPeriodMs() === 0) return 'scan_period_off';
      const nowMs = this.clock.nowMs();
      if (watched.some(({ watchedSinceMs }) => nowMs - watchedSinceMs < coldMs(settings))) return 'too_few_agings';
      const hasSwap = await this.#hasSwap(memcg);
      const narrow = (all: readonly ColdPages[]): ColdPages[] =>
        withinSwappiness(
          all.filter((one) => watched.some(({ node }) => node === one.node)),
          settings,
          hasSwap,
        );
      if (narrow(cold).length === 0)
        return settings.swap && !hasSwap && cold.some(({ type }) => type === 'anon') ? 'no_swap' : 'nothing_cold';
      return await this.#evict(group, narrow, signal);
    } catch (failure) {
      return this.#endOfFailure(memcg, failure);
    }
  }

  /** Begins the next period. Answers why the one before forbids a run, or undefined when it does not. */
  async #gate({ memcg, settings, watched }: Group, reader: PressureReader): Promise<PeriodEnd | undefined> {
    const [before] = watched.map(({ periodStart }) => periodStart);
    for (const one of watched) one.periodStart = undefined;
    try {
      const sample = await this.#sample(reader, memcg.path);
      for (const one of watched) one.periodStart = sample;
      const percent = before && pressurePercent(before, sample);
      if (percent === undefined) return 'psi_unreadable';
      return percent <= settings.period_psi_percent_limit ? undefined : 'period_psi_exceeds_limit';
    } catch (failure) {
      if (failure instanceof ColdpgsError && failure.code === 'MEMCG_GONE') throw failure;
      this.log.warn(
        { memcg: toText(memcg.path), failure: sentenceOf(failure) },
        'pressure cannot be read: not reclaimed',
      );
      return 'psi_unreadable';
    }
  }

  async #evict(
    { memcg, settings, watched }: Group,
    narrow: NonNullable<ReclaimRequest['narrow']>,
    signal: AbortSignal,
  ): Promise<PeriodEnd> {
    const limitPercent = settings.eviction_psi_percent_limit;
    const pressure = new PressureGuard(this.kernel, this.clock, memcg.path, scopeOf(memcg.path), limitPercent);
    const guard = async (type: PageType): Promise<PeriodEnd | undefined> => {
      if (watched.every(({ node }) => this.#settingsOf(memcg.path, node).disabled)) return 'disabled';
      if (!(await pressure.isWithin(signal))) return 'psi_exceeds_limit';
      return type === 'anon' && !(await this.#hasSwap(memcg)) ? 'no_swap' : undefined;
    };
    const outcome = await this.surroundings.evict(
      {
        memcg,
        agePeriods: coldPeriods(settings),
        periodMs: coldMs(settings) / coldPeriods(settings),
        limitBytes: Infinity,
        types: settings.swap ? ['file', 'anon'] : ['file'],
        narrow,
        guard,
        onFreed: (node, type, pages) => {
          const evictedPages = watched.find((one) => one.node === node)?.evictedPages;
          if (evictedPages) evictedPages[type] += pages;
        },
      },
      signal,
    );
    return (outcome.stoppedBy as PeriodEnd | undefined) ?? (outcome.shortfalls.length > 0 ? 'in_use' : 'done');
  }

  #endOfFailure(memcg: Memcg, failure: unknown): PeriodEnd {
    const code = failure instanceof ColdpgsError ? failure.code : undefined;
    if (code === 'MEMCG_GONE') return 'memcg_gone';
    if (code === 'CANCELLED') return 'cancelled';
    this.problems.report(toText(memcg.path), `not reclaimed by the autopilot: ${sentenceOf(failure)}`);
    return 'error';
  }

  async #hasSwap(memcg: Memcg): Promise<boolean> {
    if ((await this.kernel.memory.swapRoom(memcg.path)) < leastSwapPages * this.kernel.pageBytes) return false;
    return (await this.surroundings.obstacleToSwap(memcg)) === undefined;
  }

  #sample(reader: PressureReader, path: string): Promise<PressureSample> {
    return reader.sample(path, scopeOf(path));
  }

  #untilDueMs({ periodStart, settings }: Watched, nowMs: number): number {
    return periodStart ? periodStart.atMs + settings.period_secs * 1000 - nowMs : settings.period_secs * 1000;
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

/** The root's tasks are all tasks. */
function scopeOf(path: string): PressureScope {
  return path === '/' ? 'tree' : 'own';
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
