import { ColdpgsError } from '../errors.js';
import type { ControlFile, Directory, Ownership, TreeNode } from '../files/control-file.js';
import { type Attributes, attributesOf } from './attributes.js';
import { type Log, silentLog } from '../log.js';
import { badHandle, OpenFile, writable } from './open-file.js';
import { type FailedWrite, Outcomes } from './outcomes.js';
import { Writes } from './writes.js';

/** The longest write a control file takes, bytes: one page, as sysfs and cgroupfs. */
export const LONGEST_WRITE = 4096;

/**
 * Open files at a time. What they show is kept in memory until they are closed, and anybody may open what anybody may read: with no bound, a user
 * without rights could fill the memory of a daemon that runs as root. Texts are some KiB, so this is some MiB.
 */
export const MOST_OPEN_FILES = 4096;

/** Handles pass through signed 32-bit fields. */
const HIGHEST_HANDLE = 2 ** 31 - 1;

export interface TreeOptions {
  readonly log?: Log;
  /** Told of every write that failed, after the log. */
  readonly onFailedWrite?: (failure: FailedWrite) => void;
}

/**
 * A directory tree served to clients with the semantics of sysfs and cgroupfs, whatever the transport. Paths are absolute, `/` apart,
 * latin1 (a character a byte). Every method throws what `outcomes.failed()` turns into an errno; nothing here blocks or touches the machine.
 */
export class Tree {
  readonly outcomes: Outcomes;
  readonly #writes = new Writes();
  readonly #openFiles = new Map<number, OpenFile>();
  readonly #started = Date.now();
  #lastHandle = 0;

  constructor(
    private readonly root: Directory,
    private readonly owner: Ownership,
    options: TreeOptions = {},
  ) {
    this.outcomes = new Outcomes(options.log ?? silentLog, options.onFailedWrite);
  }

  /** Throws NO_SUCH_FILE: ENOENT, or ENOTDIR when the path leads through a file. */
  stat(path: string): Attributes {
    const { node, changing } = this.#find(path);
    return attributesOf(node, this.owner, this.#started, changing);
  }

  /** The names in a directory, "." and ".." first. Throws NO_SUCH_FILE: ENOENT, ENOTDIR. */
  list(path: string): string[] {
    const { node } = this.#find(path);
    if (node.kind !== 'directory') throw notADirectory();
    return ['.', '..', ...node.names()];
  }

  /**
   * Opens a file and renders its text if it is to be read. `flags` are those of open(2). Returns a handle, a small positive number that is
   * the caller's until `release`. Throws NO_SUCH_FILE (ENOENT, ENOTDIR, EISDIR), NOT_WRITABLE (EACCES, for root too),
   * TOO_MANY_OPEN (ENFILE), and what `render` throws.
   */
  open(path: string, flags: number): number {
    const { node } = this.#find(path);
    if (this.#openFiles.size >= MOST_OPEN_FILES)
      throw new ColdpgsError('TOO_MANY_OPEN', 'ENFILE', `${MOST_OPEN_FILES} files of coldpgs are open already.`);
    const opened = new OpenFile(fileOf(node), flags);
    const handle = this.#freeHandle();
    this.#openFiles.set(handle, opened);
    return handle;
  }

  /** At most `length` bytes from `offset` of the text as it was at open; empty past its end. A read at 0 after the first read renders anew. */
  read(handle: number, offset: number, length: number): Uint8Array {
    return this.#opened(handle).read(offset, length);
  }

  /**
   * Applies one write(2), whatever its position, after those to the same file that came before. The bytes are copied before this returns.
   * Resolves with their count when the effect is done; rejects with WRITE_TOO_LONG (EINVAL), CANCELLED (EINTR; ENODEV once closed),
   * and what `apply` throws. `signal` aborts the write where the transport knows that the writer gave up.
   */
  async write(handle: number, bytes: Uint8Array, signal?: AbortSignal): Promise<number> {
    const opened = this.#opened(handle);
    const file = opened.writable;
    if (file === undefined) throw badHandle('The file is not open for writing.');
    if (bytes.length === 0) return 0;
    if (bytes.length > LONGEST_WRITE)
      throw new ColdpgsError(
        'WRITE_TOO_LONG',
        'EINVAL',
        `A write takes at most ${LONGEST_WRITE} bytes, not ${bytes.length}.`,
      );
    const count = bytes.length;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, count).toString('latin1');
    await this.#writes.apply(file, text, signal);
    return count;
  }

  /** Does nothing to a writable file (`>` truncates before it writes). Throws as `open` for writing does. */
  truncate(path: string): void {
    writable(fileOf(this.#find(path).node));
  }

  /** Gives a handle back. An unknown one is ignored: nobody can act on that error. */
  release(handle: number): void {
    this.#openFiles.delete(handle);
  }

  get openFiles(): number {
    return this.#openFiles.size;
  }

  get writesInProgress(): number {
    return this.#writes.inProgress;
  }

  /** Takes no more writes, aborts the signals of those in progress, resolves when they have ended. Reading goes on working. */
  async close(): Promise<void> {
    await this.#writes.close();
  }

  #find(path: string): { node: TreeNode; changing: boolean } {
    let node: TreeNode = this.root;
    let changing = node.changing;
    for (const name of path.split('/')) {
      if (name === '') continue;
      if (node.kind !== 'directory') throw notADirectory();
      const child = node.child(name);
      if (child === undefined) throw new ColdpgsError('NO_SUCH_FILE', 'ENOENT', 'There is no such file or directory.');
      node = child;
      changing ||= node.kind === 'directory' && node.changing;
    }
    return { node, changing };
  }

  #opened(handle: number): OpenFile {
    const opened = this.#openFiles.get(handle);
    if (opened === undefined) throw badHandle('The file is not open.');
    return opened;
  }

  #freeHandle(): number {
    do this.#lastHandle = (this.#lastHandle % HIGHEST_HANDLE) + 1;
    while (this.#openFiles.has(this.#lastHandle));
    return this.#lastHandle;
  }
}

function fileOf(node: TreeNode): ControlFile {
  if (node.kind === 'directory') throw new ColdpgsError('NO_SUCH_FILE', 'EISDIR', 'This is a directory, not a file.');
  return node;
}

function notADirectory(): ColdpgsError {
  return new ColdpgsError('NO_SUCH_FILE', 'ENOTDIR', 'This is a file, not a directory.');
}
