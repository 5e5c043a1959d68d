import type { Caller, OpenPassed, PassedFile } from '../passed.js';
import type { Opened } from './open-file.js';
import type { WritableFile } from './writes.js';

/** Tells the opened files apart: the kernel itself decides which writes to one file wait for each other. */
let opens = 0;

/** One open(2) of a file of the machine. */
export class OpenPassedFile implements Opened {
  readonly writable: WritableFile;
  readonly longestWrite = Infinity;
  readonly textBytes = 0;
  readonly #opened: OpenPassed;
  /** What it began with when it was last read from its start; undefined before the first read, which counts as changed, as in kernfs. */
  #start: Buffer | undefined;
  #changed = true;
  #wake: (() => void) | undefined;
  #unsubscribe: (() => void) | undefined;

  /** Throws the kernel's refusal. */
  constructor(file: PassedFile, flags: number, opener: Caller) {
    const opened = file.open(flags, opener);
    this.#opened = opened;
    this.writable = {
      identity: `${file.identity} ${++opens}`,
      apply: (bytes, { caller = opener, signal }) => opened.write(bytes, caller, signal),
    };
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = this.#opened.read(offset, length);
    if (offset === 0 && this.#opened.onChange) {
      this.#start = Buffer.from(bytes);
      this.#changed = false;
    }
    return bytes;
  }

  poll(wake?: () => void): boolean {
    if (this.#opened.onChange === undefined) return false;
    if (this.#unsubscribe === undefined) {
      this.#unsubscribe = this.#opened.onChange(() => this.#hasChanged());
      // Nobody listened since it was read.
      this.#changed ||= this.#saysSomethingElse();
    }
    this.#wake = wake ?? this.#wake;
    return this.#changed;
  }

  close(): void {
    this.#unsubscribe?.();
    this.#opened.close();
  }

  #hasChanged(): void {
    this.#changed = true;
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** Also when it cannot say anything any more. */
  #saysSomethingElse(): boolean {
    const before = this.#start ?? Buffer.alloc(0);
    try {
      return Buffer.compare(this.#opened.read(0, Math.max(before.length, 1)), before) !== 0;
    } catch {
      return true;
    }
  }
}
