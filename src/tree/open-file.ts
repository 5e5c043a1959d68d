import { ColdpgsError } from '../errors.js';
import type { ControlFile } from '../files/control-file.js';
import type { WritableFile } from './writes.js';

/** The longest write a control file takes, bytes: one page, as sysfs and cgroupfs. */
export const LONGEST_WRITE = 4096;

const O_ACCMODE = 3;
const O_RDONLY = 0;
const O_WRONLY = 1;

/** One open(2), of a control file or of a file of the machine. */
export interface Opened {
  /** The file, if open for writing. */
  readonly writable: WritableFile | undefined;
  /** Bytes that one write may have at most. */
  readonly longestWrite: number;
  /** Of the text that it shows, as far as that is known; 0 when it is not open for reading. */
  readonly textBytes: number;
  /** At most `length` bytes from `offset`. */
  read(offset: number, length: number): Uint8Array;
  /** Whether the text has changed since it was last read from its start; `wake` is called at the next change, once, unless another is given before. */
  poll(wake?: () => void): boolean;
  /** Listens to changes no more. */
  close(): void;
}

/**
 * One open(2) of a control file. Costs the rendered text (a byte a character; below 4 KiB it shares an 8 KiB slab of Node's buffer pool)
 * and about 300 bytes, given back on release.
 */
export class OpenFile implements Opened {
  readonly longestWrite = LONGEST_WRITE;
  readonly writable: WritableFile | undefined;
  #snapshot: Buffer | undefined;
  #read = false;
  #changed = false;
  #wake: (() => void) | undefined;
  #unsubscribe: (() => void) | undefined;

  /**
   * Renders at once if open for reading. Only the access mode of `flags` matters: O_APPEND and O_TRUNC mean nothing for a control file.
   * `mostBytes` is for a file that another process had open: its text is no longer than it was there, and counts as changed. Throws NOT_WRITABLE (EACCES), and what `render` throws.
   */
  constructor(
    private readonly file: ControlFile,
    flags: number,
    mostBytes?: number,
  ) {
    const access = flags & O_ACCMODE;
    if (access !== O_RDONLY) this.writable = writable(file);
    if (access !== O_WRONLY) this.#snapshot = rendered(file).subarray(0, mostBytes);
    this.#changed = mostBytes !== undefined;
  }

  get textBytes(): number {
    return this.#snapshot?.length ?? 0;
  }

  /** At most `length` bytes of the text from `offset`; none past its end. A return to the start (lseek) renders the text anew, as kernfs does; so does a first read where something may have been written before. */
  read(offset: number, length: number): Uint8Array {
    if (this.#snapshot === undefined) throw badHandle('The file is not open for reading.');
    if (offset === 0 && (this.#read || this.#changed || this.writable !== undefined)) {
      this.#snapshot = rendered(this.file);
      this.#changed = false;
    }
    this.#read = true;
    return this.#snapshot.subarray(offset, offset + length);
  }

  poll(wake?: () => void): boolean {
    if (this.file.onChange === undefined || this.#snapshot === undefined) return false;
    if (this.#unsubscribe === undefined) {
      this.#unsubscribe = this.file.onChange(() => this.#hasChanged());
      // Nobody listened since the text was rendered.
      this.#changed ||= this.#saysSomethingElse();
    }
    this.#wake = wake ?? this.#wake;
    return this.#changed;
  }

  close(): void {
    this.#unsubscribe?.();
  }

  #hasChanged(): void {
    if (!this.#changed && !this.#saysSomethingElse()) return;
    this.#changed = true;
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** Also when it cannot say anything any more. */
  #saysSomethingElse(): boolean {
    try {
      return !rendered(this.file).equals(this.#snapshot ?? Buffer.alloc(0));
    } catch {
      return true;
    }
  }
}

/** The file as one that accepts writes. Throws NOT_WRITABLE (EACCES), also to root: no permission bit stops root. */
export function writable(file: ControlFile): WritableFile {
  if (file.apply === undefined) throw new ColdpgsError('NOT_WRITABLE', 'EACCES', 'This file can only be read.');
  return file as WritableFile;
}

export function badHandle(sentence: string): ColdpgsError {
  return new ColdpgsError('NO_SUCH_FILE', 'EBADF', sentence);
}

function rendered(file: ControlFile): Buffer {
  return Buffer.from(file.render(), 'latin1');
}
