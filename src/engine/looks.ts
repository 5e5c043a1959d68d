/** Ages are counted in looks and kept in one byte each, as kidled keeps them. */
export const oldestAge = 255;

/** When a tracker looked, so that ages in looks can be told in milliseconds. */
export class Looks {
  /** Latest first. */
  #timesMs: number[] = [];

  /** Notes a look. Times that go back are taken as the time of the look before. */
  add(atMs: number): void {
    this.#timesMs.unshift(Math.max(atMs, this.#timesMs[0] ?? atMs));
    this.#timesMs.length = Math.min(this.#timesMs.length, oldestAge + 2);
  }

  /** Looks so far, as far as ages can tell them apart. */
  get count(): number {
    return this.#timesMs.length;
  }

  get latestMs(): number | undefined {
    return this.#timesMs[0];
  }

  forget(): void {
    this.#timesMs = [];
  }

  /**
   * How long what has the age `age` was idle at the latest look. Age 0 was used between the last two looks. An age that goes back to
   * the first look, or is the oldest there is, has no upper end.
   */
  idleMs(age: number): { readonly idleAtLeastMs: number; readonly idleAtMostMs: number } {
    const latestMs = this.#timesMs[0] ?? 0;
    const unusedSinceMs = this.#timesMs[Math.min(age, this.#timesMs.length - 1)] ?? latestMs;
    const usedAfterMs = age >= oldestAge ? undefined : this.#timesMs[age + 1];
    return {
      idleAtLeastMs: latestMs - unusedSinceMs,
      idleAtMostMs: usedAfterMs === undefined ? Infinity : latestMs - usedAfterMs,
    };
  }
}
