import { sentenceOf } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { AgingTarget, Kernel } from '../kernel/kernel.js';
import type { LruGenMemcg } from '../kernel/lru-gen.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import type { Census } from './census.js';
import { agingIntervalMs } from './coldness.js';

/** What the aging clock must know of the engine around it. */
export interface AgingSurroundings {
  /** The scan period in milliseconds; 0 is off. */
  periodMs(): number;
  /** The coldness, in periods, that a memcg is meant for. */
  agePeriodsOf(path: string): number;
  /** Whether a run works on the memcg: an aging now would take the ground from under it. */
  isBusy(path: string): boolean;
  /** Called after each listing with the paths that are live. */
  onListing(listed: readonly LruGenMemcg[]): Promise<void>;
}

/** How long to wait before looking again at memcgs that were due but busy. */
const busyRetryMs = 500;
/** Never look more often than this. */
const shortestNapMs = 200;

/**
 * The aging clock: makes a new generation in every memcg and node once per its interval, so that generation borders lie where
 * thresholds need them. It keeps no time of its own: a memcg is due when its youngest generation is as old as its interval,
 * so agings that the kernel did by itself count as well.
 */
export class Aging {
  #alarm = new AbortController();

  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    private readonly census: Census,
    private readonly log: Log,
    private readonly surroundings: AgingSurroundings,
  ) {}

  /** Ages memcgs as they become due, until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.lookNow(), { once: true });
    while (!signal.aborted) {
      let napMs = busyRetryMs;
      this.#alarm = new AbortController();
      try {
        napMs = await this.tick();
      } catch (failure) {
        this.log.error({ failure: sentenceOf(failure) }, 'an aging round failed; the next one is tried as usual');
      }
      if (!signal.aborted) await this.clock.sleep(napMs, this.#alarm.signal);
    }
  }

  /** Ends the present nap: the period or a threshold has changed. */
  lookNow(): void {
    this.#alarm.abort();
  }

  /** Ages what is due now. Answers the milliseconds until something is due again. */
  async tick(): Promise<number> {
    const periodMs = this.surroundings.periodMs();
    if (periodMs === 0) return 60_000;
    const listed = await this.kernel.lruGen.read();
    const atMs = this.clock.nowMs();
    await this.surroundings.onListing(listed);
    this.census.keepOnly(listed);

    const due: AgingTarget[] = [];
    let napMs = periodMs;
    for (const memcg of listed) {
      const intervalMs = agingIntervalMs(periodMs, this.surroundings.agePeriodsOf(memcg.path));
      this.census.note(memcg, atMs, intervalMs * 0.45);
      if (memcg.id === '0') continue;
      const busy = this.surroundings.isBusy(memcg.path);
      for (const { node, generations } of memcg.nodes) {
        const youngest = generations.at(-1);
        if (!youngest) continue;
        const untilDueMs = intervalMs - youngest.ageMs;
        if (untilDueMs > intervalMs * 0.05) napMs = Math.min(napMs, untilDueMs);
        else if (busy) napMs = Math.min(napMs, busyRetryMs);
        else due.push({ id: memcg.id, path: memcg.path, node, maxSeq: youngest.seq });
      }
    }
    await this.#age(due);
    return Math.max(shortestNapMs, napMs);
  }

  async #age(due: readonly AgingTarget[]): Promise<void> {
    if (due.length === 0) return;
    const refusals = await this.kernel.lruGen.age(due);
    for (const { target, error } of refusals)
      this.log.debug({ memcg: toText(target.path), node: target.node, refusal: sentenceOf(error) }, 'not aged');
  }
}
