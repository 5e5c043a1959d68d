import type { Clock } from '../kernel/clock.js';
import type { Kernel } from '../kernel/kernel.js';
import { pressurePercent, PressureReader, type PressureSample, type PressureScope } from './pressure.js';

/** Pressure is judged over this long at least: over a millisecond it is noise. */
export const shortestWindowMs = 200;

/** Reading may take at most this share of the time, however many children a memcg has. */
const readingShare = 0.1;

/** Watches the pressure of one memcg while something is done to it, and says when that is too much. */
export class PressureGuard {
  /** As last judged. */
  percent: number | undefined;
  #sample: PressureSample | undefined;
  #windowMs = shortestWindowMs;

  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    private readonly path: string,
    private readonly scope: PressureScope,
    private readonly limitPercent: number,
  ) {}

  /**
   * Whether pressure is within the limit. Looks at it when the last window is over, and waits for the first one to end. Throws MEMCG_GONE, and
   * KERNEL_REFUSED where pressure cannot be read.
   */
  async isWithin(signal: AbortSignal): Promise<boolean> {
    this.#sample ??= await this.#take();
    if (this.percent === undefined) await this.clock.sleep(this.#leftMs(this.#sample), signal);
    if (this.#leftMs(this.#sample) <= 0) {
      const sample = await this.#take();
      this.percent = pressurePercent(this.#sample, sample) ?? this.percent;
      this.#sample = sample;
    }
    return (this.percent ?? 0) <= this.limitPercent;
  }

  #leftMs({ atMs }: PressureSample): number {
    return atMs + this.#windowMs - this.clock.nowMs();
  }

  async #take(): Promise<PressureSample> {
    const sample = await new PressureReader(this.kernel, this.clock).sample(this.path, this.scope);
    this.#windowMs = Math.max(shortestWindowMs, (this.clock.nowMs() - sample.atMs) / readingShare);
    return sample;
  }
}
