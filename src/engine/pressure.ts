import type { Clock } from '../kernel/clock.js';
import type { Kernel } from '../kernel/kernel.js';
import type { PressureTotals } from '../kernel/psi.js';

/** What counts as a memcg's pressure: that of its own tasks, or with those of its descendants. */
export type PressureScope = 'own' | 'tree';

/** Stall times of a memcg at a moment. */
export interface PressureSample {
  readonly atMs: number;
  readonly totals: PressureTotals;
  /** Of its children that have some of their own, by path; none for the scope `tree`, and where the machine's stand in for the memcg. */
  readonly children: ReadonlyMap<string, PressureTotals>;
}

/** The beginning of a period; without a sample where the pressure could not be read: then it cannot be judged by its end either. */
export interface PeriodStart {
  readonly atMs: number;
  readonly sample: PressureSample | undefined;
}

/**
 * Percent of the time between two samples in which tasks waited for memory or for I/O, in hundredths: the larger of both, because the kernel often counts one
 * wait as either. Own pressure is the total less what the children had of it. undefined when no time has passed, and when one is of the machine and the
 * other is not.
 */
export function pressurePercent(before: PressureSample, after: PressureSample): number | undefined {
  const elapsedUs = (after.atMs - before.atMs) * 1000;
  if (elapsedUs <= 0 || isOfMachine(before) !== isOfMachine(after)) return undefined;
  const share = Math.max(stalledUs(before, after, 'memoryUs'), stalledUs(before, after, 'ioUs')) / elapsedUs;
  return Math.round(Math.min(1, share) * 10_000) / 100;
}

function isOfMachine({ totals }: PressureSample): boolean {
  return totals.ofMachine === true;
}

/** A child that was made meanwhile, or again at the same path, had all its pressure meanwhile. One that was removed keeps what it had since `before`. */
function stalledUs(before: PressureSample, after: PressureSample, resource: 'memoryUs' | 'ioUs'): number {
  let us = after.totals[resource] - before.totals[resource];
  for (const [path, totals] of after.children) {
    const earlier = before.children.get(path)?.[resource] ?? 0;
    us -= totals[resource] >= earlier ? totals[resource] - earlier : totals[resource];
  }
  return Math.max(0, us);
}

/** Totals, and when they were read. */
interface Reading {
  readonly atMs: number;
  readonly totals: Promise<PressureTotals>;
}

/** For so long a reading stands for another one: a tenth of the shortest time that pressure is judged over. */
const freshMs = 20;

/** Takes samples. What one `PressureReader` has just read for a memcg is not read again for its parent. */
export class PressureReader {
  readonly #read = new Map<string, Reading>();

  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
  ) {}

  /** Throws MEMCG_GONE, and KERNEL_REFUSED where pressure cannot be read. */
  async sample(path: string, scope: PressureScope): Promise<PressureSample> {
    const reading = this.#reading(path);
    const totals = await reading.totals;
    const children = new Map<string, PressureTotals>();
    if (scope === 'own' && totals.ofMachine !== true)
      for (const name of this.kernel.memcgs.childNames(path)) {
        const child = path === '/' ? `/${name}` : `${path}/${name}`;
        // A child that goes away meanwhile has nothing to be taken off; nor has one for which the machine's stand in.
        const of = await this.#reading(child).totals.catch(() => undefined);
        if (of && of.ofMachine !== true) children.set(child, of);
      }
    return { atMs: reading.atMs, totals, children };
  }

  /** The beginning of a period, whether or not pressure can be read. */
  async start(path: string, scope: PressureScope, onUnreadable?: (failure: unknown) => void): Promise<PeriodStart> {
    const sample = await this.sample(path, scope).catch((failure: unknown) => void onUnreadable?.(failure));
    return { atMs: sample?.atMs ?? this.clock.nowMs(), sample: sample ?? undefined };
  }

  #reading(path: string): Reading {
    const atMs = this.clock.nowMs();
    const known = this.#read.get(path);
    if (known && atMs - known.atMs <= freshMs) return known;
    const reading = { atMs, totals: this.kernel.pressure.totals(path) };
    this.#read.set(path, reading);
    return reading;
  }
}
