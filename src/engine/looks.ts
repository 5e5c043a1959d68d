/** Ages are counted in looks and kept in one byte each, as kidled keeps them. */
export const oldestAge = 255;

/** When a tracker looked, so that ages in looks can be told in milliseconds. */
export class Looks {
  /** Latest first. */
  #timesMs: number[] = [];
  /** When each of them was over. */
  #endsMs: number[] = [];

  /** Notes a look that took until `endMs`. Times that go back are taken as the time of the look before. */
  add(atMs: number, endMs = atMs): void {
    const startMs = Math.max(atMs, this.#timesMs[0] ?? atMs);
    this.#timesMs.unshift(startMs);
    this.#endsMs.unshift(Math.max(startMs, endMs));
    for (const times of [this.#timesMs, this.#endsMs]) times.length = Math.min(times.length, oldestAge + 2);
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
    this.#endsMs = [];
  }

  /**
   * How long what has the age `age` was idle at the latest look. Age 0 was used between the last two looks. An age that goes back to
   * the first look, or is the oldest there is, has no upper end. In a look that took its time a page may have been used until it was over.
   */
  idleMs(age: number): { readonly idleAtLeastMs: number; readonly idleAtMostMs: number } {
    const latestMs = this.#timesMs[0] ?? 0;
    const unusedSinceMs = this.#endsMs[Math.min(age, this.#endsMs.length - 1)] ?? latestMs;
    const usedAfterMs = age >= oldestAge ? undefined : this.#timesMs[age + 1];
    return {
      idleAtLeastMs: Math.max(0, latestMs - unusedSinceMs),
      idleAtMostMs: usedAfterMs === undefined ? Infinity : latestMs - usedAfterMs,
    };
  }
}
