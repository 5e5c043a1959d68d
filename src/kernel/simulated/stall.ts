/** Stall time that grows with the clock, at a rate that is set. */
export class Stall {
  #totalUs = 0;
  #percent = 0;
  #sinceMs = 0;

  /** From now on tasks wait this share of the time. */
  rate(percent: number, nowMs: number): void {
    this.#totalUs = this.totalUs(nowMs);
    this.#percent = percent;
    this.#sinceMs = nowMs;
  }

  totalUs(nowMs: number): number {
    return this.#totalUs + Math.floor((nowMs - this.#sinceMs) * 10 * this.#percent);
  }
}
