import type { Clock } from '../kernel/clock.js';
import type { Log } from '../log.js';

/** Costs are judged over this long at least, and over so many rounds: a single slow one says nothing. */
const shortestJudgedMs = 15_000;
const fewestRounds = 4;
/** Rounds after the start that are not judged: programs run slower at first, and first looks see more. */
const warmUpRounds = 2;
/** Intervals are stretched to at most so many times what they were at a time: a long stretch is long to find out of. */
const mostGrowth = 2;
/** Intervals are stretched to at most so many times what was asked. */
const mostStretch = 64;
/** A change smaller than this share is not worth a line in the log. */
const worthSaying = 0.1;

/**
 * Keeps watching within its share of one processor: measures what agings and looks cost, and stretches their intervals where that is more. Never
 * shortens them below what was asked.
 */
export class AgingBudget {
  /** How many times longer intervals are than asked; 1 within the budget. */
  stretch = 1;
  /** Share of one processor that watching took when it was last judged, in percent; undefined before. */
  usedPercent: number | undefined;
  /** How many times longer than asked the latest round lasted, and the shorter of the latest two: a single slow one says nothing. */
  #lasted = 0;
  #lasting = 0;
  #isSlow = false;
  #spentMs = 0;
  #rounds = 0;
  #sinceMs: number;

  constructor(
    private readonly clock: Clock,
    private readonly percent: () => number,
    private readonly log: Log,
    /** CPU time of the whole process in milliseconds: waiting for a busy machine is no cost. */
    private readonly cpuMs: () => number = processCpuMs,
    private warmUpRoundsLeft = warmUpRounds,
  ) {
    this.#sinceMs = clock.nowMs();
  }

  /** How many times longer rounds are than asked: as far as they are stretched, or as long as one lasts, which naps between parts of a look can make it. */
  get roundStretch(): number {
    return Math.max(this.stretch, this.#lasting);
  }

  /** Does work that counts. */
  async spend<T>(work: () => Promise<T>): Promise<T> {
    const startMs = this.clock.nowMs();
    const startCpuMs = this.cpuMs();
    try {
      return await work();
    } finally {
      this.#spentMs += Math.max(0, Math.min(this.clock.nowMs() - startMs, this.cpuMs() - startCpuMs));
    }
  }

  /** Ends a round that lasted so many times the interval asked: once there is enough to judge by, sets `stretch`. */
  endRound(lasted = 0): void {
    this.#noteLasted(lasted);
    if (this.warmUpRoundsLeft > 0) {
      this.warmUpRoundsLeft--;
      return this.#judgeAnew();
    }
    this.#rounds++;
    const elapsedMs = this.clock.nowMs() - this.#sinceMs;
    if (this.#rounds < fewestRounds || elapsedMs < shortestJudgedMs) return;
    this.usedPercent = (100 * this.#spentMs) / elapsedMs;
    const asked = this.stretch * (this.usedPercent / this.percent());
    this.#set(Math.min(mostStretch, this.stretch * mostGrowth, Math.max(1, asked)));
    this.#judgeAnew();
  }

  /** Measures anew from now on: the scan period has changed. */
  restart(): void {
    this.#lasted = this.#lasting = 0;
    this.#judgeAnew();
  }

  #judgeAnew(): void {
    this.#spentMs = 0;
    this.#rounds = 0;
    this.#sinceMs = this.clock.nowMs();
  }

  #noteLasted(lasted: number): void {
    this.#lasting = Math.min(lasted, this.#lasted);
    this.#lasted = lasted;
    const isSlow = this.#lasting > this.stretch * (this.#isSlow ? 1 : 1 + worthSaying);
    if (isSlow === this.#isSlow) return;
    this.#isSlow = isSlow;
    const fields = { lasting: rounded(this.#lasting), stretch: rounded(this.stretch) };
    if (isSlow) this.log.warn(fields, 'a round of looks lasts longer than the time between two: they come later');
    else this.log.info(fields, 'rounds of looks last no longer than the time between two again');
  }

  #set(stretch: number): void {
    const before = this.stretch;
    if (Math.abs(stretch - before) < before * worthSaying) return;
    this.stretch = stretch;
    const fields = { stretch: rounded(stretch), before: rounded(before), usedPercent: rounded(this.usedPercent ?? 0) };
    if (stretch > before)
      this.log.warn(
        fields,
        `watching memcgs took more than scan_cpu_percent (${this.percent()}): intervals are stretched`,
      );
    else this.log.info(fields, 'watching memcgs takes less now: intervals are shorter again');
  }
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
