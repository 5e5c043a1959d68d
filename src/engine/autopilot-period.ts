import { ColdpgsError, sentenceOf } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import type { PeriodEnd, Watched } from './autopilot-book.js';
import { coldMs, coldPeriods, withinSwappiness } from './autopilot-coldness.js';
import type { MemcgSettings } from './autopilot-settings.js';
import type { PageType } from './eviction.js';
import { pressurePercent, type PressureReader, type PressureScope } from './pressure.js';
import { PressureGuard } from './pressure-guard.js';
import type { Problems } from './problems.js';
import type { ReclaimOutcome } from './reclaim.js';
import type { ColdPages } from './reclaim-plan.js';
import type { ReclaimRequest } from './run.js';

/** What the end of a period must know of the engine around it. */
export interface PeriodSurroundings {
  /** The scan period in milliseconds; 0 is off, and then nothing is known of any memcg. */
  scanPeriodMs(): number;
  /** A run, when its turn comes. */
  evict(request: Omit<ReclaimRequest, 'stepPages'>, signal: AbortSignal): Promise<ReclaimOutcome>;
  /** Why anonymous memory of the memcg cannot be swapped; undefined when it can. */
  obstacleToSwap(memcg: Memcg): Promise<string | undefined>;
}

/** Less swap than this is none. (mem-agent: swap_not_available.) */
const leastSwapPages = 256;

/** Memcgs on nodes that go by the same settings: one run takes them all. */
export interface Group {
  readonly memcg: Memcg;
  readonly settings: MemcgSettings;
  readonly watched: readonly Watched[];
}

/** The end of a period: whether the pressure of it allows a run, and the run. */
export class AutopilotPeriod {
  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    private readonly problems: Problems,
    private readonly log: Log,
    private readonly surroundings: PeriodSurroundings,
    /** The settings in force at any moment: they may change during a run. */
    private readonly settingsOf: (path: string, node: number) => MemcgSettings,
  ) {}

  /**
   * The end of a group's period and the beginning of its next: the gates, then the eviction of what is `cold`; undefined where that cannot be known.
   */
  async end(
    group: Group,
    cold: readonly ColdPages[] | undefined,
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
      if (cold === undefined) return 'error';
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
    const before = watched[0]?.periodStart?.sample;
    for (const one of watched) one.periodStart = undefined;
    try {
      const sample = await reader.sample(memcg.path, pressureScopeOf(memcg.path));
      for (const one of watched) one.periodStart = { atMs: sample.atMs, sample };
      const percent = before && pressurePercent(before, sample);
      if (percent === undefined) return 'psi_unreadable';
      return percent <= settings.period_psi_percent_limit ? undefined : 'period_psi_exceeds_limit';
    } catch (failure) {
      return this.#unreadable(memcg, failure);
    }
  }

  /** Throws MEMCG_GONE. */
  #unreadable(memcg: Memcg, failure: unknown): PeriodEnd {
    if (failure instanceof ColdpgsError && failure.code === 'MEMCG_GONE') throw failure;
    const details = { memcg: toText(memcg.path), failure: sentenceOf(failure) };
    this.log.warn(details, 'pressure cannot be read: not reclaimed');
    return 'psi_unreadable';
  }

  async #evict(
    { memcg, settings, watched }: Group,
    narrow: NonNullable<ReclaimRequest['narrow']>,
    signal: AbortSignal,
  ): Promise<PeriodEnd> {
    const limitPercent = settings.eviction_psi_percent_limit;
    const pressure = new PressureGuard(this.kernel, this.clock, memcg.path, pressureScopeOf(memcg.path), limitPercent);
    const guard = async (type: PageType): Promise<PeriodEnd | undefined> => {
      if (watched.every(({ node }) => this.settingsOf(memcg.path, node).disabled)) return 'disabled';
      try {
        if (!(await pressure.isWithin(signal))) return 'psi_exceeds_limit';
      } catch (failure) {
        return this.#unreadable(memcg, failure);
      }
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
    if (outcome.stoppedBy !== undefined) return outcome.stoppedBy as PeriodEnd;
    if (outcome.nothingCold) return 'nothing_cold';
    return outcome.shortfalls.length > 0 ? 'in_use' : 'done';
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
}

/** The root's tasks are all tasks. */
export function pressureScopeOf(path: string): PressureScope {
  return path === '/' ? 'tree' : 'own';
}
