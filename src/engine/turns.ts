import { ColdpgsError } from '../errors.js';
import { toText } from '../kernel/text.js';

interface Turn {
  readonly path: string;
}

interface Waiter extends Turn {
  start(turn: Turn): void;
}

/**
 * Turns for work on memcgs: at most `atOnce` run side by side, those whose paths conflict one after the other, in the order they came.
 */
export class Turns {
  readonly #running = new Set<Turn>();
  readonly #waiting: Waiter[] = [];
  #toldBusy = false;

  constructor(
    private readonly atOnce: number,
    private readonly conflict: (a: string, b: string) => boolean = (a, b) => a === b,
    /** Told when the first of some work begins, and when the last of it has ended. */
    private readonly onBusy: (busy: boolean) => void = () => undefined,
  ) {}

  /** Whether work on a conflicting path runs right now. */
  isBusy(path: string): boolean {
    return [...this.#running].some((turn) => this.conflict(turn.path, path));
  }

  /** Runs `work` when its turn comes. Throws CANCELLED when `signal` is aborted before that. */
  async run<T>(path: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (signal.aborted) throw cancelled(path);
    const turn = this.#mayRun(path, this.#waiting) ? this.#begin(path) : await this.#wait(path, signal);
    try {
      return await work();
    } finally {
      this.#running.delete(turn);
      this.#startWaiting();
      this.#tell();
    }
  }

  #begin(path: string): Turn {
    const turn = { path };
    this.#running.add(turn);
    this.#tell();
    return turn;
  }

  #tell(): void {
    const busy = this.#running.size > 0;
    if (busy !== this.#toldBusy) this.onBusy(busy);
    this.#toldBusy = busy;
  }

  #wait(path: string, signal: AbortSignal): Promise<Turn> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(cancelled(path));
        this.#startWaiting();
      };
      const waiter: Waiter = {
        path,
        start: (turn) => {
          signal.removeEventListener('abort', giveUp);
          resolve(turn);
        },
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(waiter);
    });
  }

  #mayRun(path: string, earlier: readonly Waiter[]): boolean {
    const free = this.#running.size < this.atOnce && !this.isBusy(path);
    return free && !earlier.some((one) => this.conflict(one.path, path));
  }

  #startWaiting(): void {
    for (let at = 0; at < this.#waiting.length;) {
      const waiter = this.#waiting[at];
      if (waiter && this.#mayRun(waiter.path, this.#waiting.slice(0, at))) {
        this.#waiting.splice(at, 1);
        waiter.start(this.#begin(waiter.path));
      } else at++;
    }
  }
}

function cancelled(path: string): ColdpgsError {
  return new ColdpgsError(
    'CANCELLED',
    'EINTR',
    `Work on memcg ${toText(path)} was cancelled while it waited for its turn.`,
  );
}
