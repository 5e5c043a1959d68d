import type { Clock } from '../clock.js';

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

/** A clock that stands still until it is moved. Sleepers wake in the order in which they are due, each at exactly its time. */
export class SimulatedClock implements Clock {
  #nowMs: number;
  readonly #sleepers = new Set<Sleeper>();

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (ms <= 0 || signal?.aborted) return resolve();
      const wake = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const sleeper = { dueMs: this.#nowMs + ms, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', wake, { once: true });
    });
  }

  /** How many sleeps are under way. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** Moves time by `ms`. After each sleeper everything it sets going runs until it waits again, so that its next sleep counts too. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settled();
    for (let next = this.#next(); next && next.dueMs <= untilMs; next = this.#next()) {
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.wake();
      await settled();
    }
    this.#nowMs = untilMs;
  }

  /** Time leaps by `ms`, as over a machine that was stopped: who slept meanwhile wakes after it, in the order in which they were due. */
  async leap(ms: number): Promise<void> {
    await settled();
    this.#nowMs += ms;
    await this.advance(0);
  }

  /** Moves time from sleeper to sleeper until `work` is done, and answers what it answers. Fails when nothing sleeps, or after `limitMs`. */
  async finish<T>(work: Promise<T>, limitMs = 3_600_000): Promise<T> {
    const untilMs = this.#nowMs + limitMs;
    let done = false;
    const end = (): void => {
      done = true;
    };
    work.then(end, end);
    for (await settled(); !done;) {
      const next = this.#next();
      if (!next) throw new Error('The work is not done, yet nothing sleeps: time cannot help it.');
      if (next.dueMs > untilMs) throw new Error(`The work is not done after ${limitMs} ms of simulated time.`);
      await this.advance(next.dueMs - this.#nowMs);
    }
    return work;
  }

  #next(): Sleeper | undefined {
    let next: Sleeper | undefined;
    for (const sleeper of this.#sleepers) if (!next || sleeper.dueMs < next.dueMs) next = sleeper;
    return next;
  }
}

/** Resolves when every promise that could go on has gone on: an immediate runs after the whole queue of microtasks. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
