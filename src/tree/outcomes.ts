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

/** Who wrote what, for the log. The ids are missing where the transport does not know them. */
export interface Writer {
  readonly uid?: number;
  readonly gid?: number;
  readonly pid?: number;
  /** The beginning of what was written, as JSON. */
  readonly text: string;
}

/** The first bytes of a write, for the log. */
export function shown(bytes: Uint8Array): string {
  const most = 40;
  const start = Buffer.from(bytes.subarray(0, most)).toString('latin1');
  return JSON.stringify(bytes.length > most ? `${start}...` : start);
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

  /** Counts a write that was done, and logs it: who wrote what. */
  wrote(path: string, writer: Writer): void {
    this.succeeded('write');
    this.log.info({ operation: 'write', path, ...writer }, 'written');
  }

  /** Logs a write that ended with the process before this one: `errno` is what its writer is told. Who it was is missing where that is not known any more. */
  cutOff(errno: 'EINTR' | 'EIO', fields: { readonly path?: string } & Partial<Writer>): void {
    this.#count(`write ${errno}`);
    this.log.warn(
      { operation: 'write', ...fields, errno },
      'a write was cut off by the end of the daemon before this one',
    );
  }

  /**
   * Counts and logs a failed request; returns the positive Linux errno to answer with. Never throws. `writer` is who asked, where it was a write
   * and the transport knows.
   */
  failed(operation: Operation, path: string, thrown: unknown, writer: Partial<Writer> = {}): number {
    const { name, number } = errnoOf(thrown);
    this.#count(`${operation} ${name}`);
    const fields = { operation, path, errno: name, ...writer };
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
