import { sentenceOf } from '../errors.js';
import { errnoOf, isExpected } from './errno.js';
import type { Log } from '../log.js';

/** What clients ask of a tree. `change` is everything that would alter its shape (chmod, mkdir, rename ...): always refused. */
export type Operation = 'stat' | 'list' | 'open' | 'read' | 'write' | 'truncate' | 'release' | 'change';

/** A write that was refused or failed, for those who show people why (coldpgs/errors). */
export interface FailedWrite {
  readonly path: string;
  readonly errno: string;
  readonly sentence: string;
}

/** How requests ended: counts for gauges, lines for the log, errno numbers for clients. The one place where a thrown value becomes an errno. */
export class Outcomes {
  readonly #counts = new Map<string, number>();

  constructor(
    readonly log: Log,
    private readonly onFailedWrite: (failure: FailedWrite) => void = () => undefined,
  ) {}

  /** Counts an answered request. */
  succeeded(operation: Operation): void {
    this.#count(`${operation} OK`);
  }

  /** Counts and logs a failed request; returns the positive Linux errno to answer with. Never throws. */
  failed(operation: Operation, path: string, thrown: unknown): number {
    const { name, number } = errnoOf(thrown);
    this.#count(`${operation} ${name}`);
    const fields = { operation, path, errno: name };
    const sentence = sentenceOf(thrown);
    if (!isExpected(thrown))
      this.log.error({ ...fields, err: thrown }, `${operation} failed unexpectedly: ${sentence}`);
    else if (operation === 'write') this.log.info(fields, `write refused: ${sentence}`);
    else this.log.debug(fields, sentence);
    if (operation === 'write') this.#tellOfFailedWrite({ path, errno: name, sentence });
    return number;
  }

  /** How many requests ended how since the start, by `<operation> <OK or errno name>`. */
  counts(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }

  /** The client waits for its errno, so a defect of the listener must not get in the way. */
  #tellOfFailedWrite(failure: FailedWrite): void {
    try {
      this.onFailedWrite(failure);
    } catch (thrown) {
      this.log.error({ err: thrown }, `the listener to failed writes threw: ${sentenceOf(thrown)}`);
    }
  }

  #count(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }
}
