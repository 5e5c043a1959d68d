import { setImmediate as nextTurn } from 'node:timers/promises';

/** A stretch of work that is done at one go: other work waits for it so long and no longer. */
export class Slice {
  #startMs = performance.now();

  constructor(private readonly ms: number) {}

  /** Whether other work has waited long enough. */
  get isOver(): boolean {
    return performance.now() - this.#startMs >= this.ms;
  }

  /** Lets other work have its turn, and begins the next slice. */
  async next(): Promise<void> {
    await nextTurn();
    this.#startMs = performance.now();
  }
}
