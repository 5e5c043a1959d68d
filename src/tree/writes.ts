import { setMaxListeners } from 'node:events';
import { ColdpgsError } from '../errors.js';
import type { ControlFile } from '../files/control-file.js';
import type { Caller } from '../passed.js';

/** A file that accepts writes. */
export type WritableFile = Required<Pick<ControlFile, 'identity' | 'apply'>>;

export interface WriteOptions {
  /** Fires when the writer gives up. */
  readonly signal?: AbortSignal;
  /** Called when `apply` has returned and its effect goes on. */
  readonly begun?: () => void;
  readonly caller?: Caller;
}

/** The writes in progress. Those to one file (one identity) are applied one after the other, in the order they came; different files side by side. */
export class Writes {
  readonly #lastOf = new Map<string, Promise<unknown>>();
  readonly #inProgress = new Map<AbortController, Promise<unknown>>();
  #closed = false;

  /** Writes that were accepted and have not ended, those waiting for their turn included. */
  get inProgress(): number {
    return this.#inProgress.size;
  }

  /**
   * Applies one write when its turn has come. Throws what `apply` throws; CANCELLED (EINTR) when `signal` fires before its turn,
   * CANCELLED (ENODEV) once closed.
   */
  async apply(file: WritableFile, bytes: string, options: WriteOptions = {}): Promise<void> {
    const { signal } = options;
    if (this.#closed) throw new ColdpgsError('CANCELLED', 'ENODEV', 'coldpgs is stopping and takes no more writes.');
    const controller = new AbortController();
    // A global threshold has a waiter for each memcg.
    setMaxListeners(0, controller.signal);
    const abort = (): void => controller.abort();
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });

    const before = this.#lastOf.get(file.identity);
    const turn = this.#takeTurn(file, bytes, { ...options, signal: controller.signal }, before);
    const last = Promise.allSettled([before, turn]);
    this.#lastOf.set(file.identity, last);
    this.#inProgress.set(controller, turn);
    try {
      await turn;
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#inProgress.delete(controller);
      if (this.#lastOf.get(file.identity) === last) this.#lastOf.delete(file.identity);
    }
  }

  /** Resolves when those in progress have ended. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#inProgress.values());
  }

  /** Takes no more writes, aborts those in progress and resolves when all have ended. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const controller of this.#inProgress.keys()) controller.abort();
    await Promise.allSettled(this.#inProgress.values());
  }

  async #takeTurn(
    file: WritableFile,
    bytes: string,
    { signal, begun, caller }: WriteOptions & { signal: AbortSignal },
    before?: Promise<unknown>,
  ): Promise<void> {
    if (before !== undefined) await Promise.race([before, aborted(signal)]);
    if (signal.aborted) throw new ColdpgsError('CANCELLED', 'EINTR', 'The write was interrupted before its turn came.');
    const effect = file.apply(bytes, { signal, ...(caller && { caller }) });
    if (effect === undefined) return;
    begun?.();
    await effect;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
