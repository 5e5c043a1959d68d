import { ColdpgsError } from '../errors.js';
import type { ControlFile, Directory, Ownership, TreeNode } from '../files/control-file.js';
import { type Attributes, attributesOf } from './attributes.js';
import { type Log, silentLog } from '../log.js';
import type { Caller, PassedDirectory, PassedEntry, StatusChange } from '../passed.js';
import { badHandle, type Opened, OpenFile, writable } from './open-file.js';
import { OpenPassedFile } from './open-passed-file.js';
import { type FailedWrite, Outcomes } from './outcomes.js';
import { type WriteOptions, Writes } from './writes.js';

/**
 * Open files at a time. What they show is kept in memory until they are closed, and anybody may open what anybody may read: with no bound, a user
 * without rights could fill the memory of a daemon that runs as root. Texts are some KiB, so this is some MiB.
 */
export const MOST_OPEN_FILES = 4096;

/** As of any file system of Linux (NAME_MAX). */
const LONGEST_NAME_BYTES = 255;

/** Handles pass through signed 32-bit fields: 22 bits count, 9 tell the processes apart that served the same mount one after the other. */
export const HANDLES_OF_ONE_PROCESS = 2 ** 22;
const PROCESSES_TOLD_APART = 2 ** 9;

export interface TreeOptions {
  readonly log?: Log;
  /** Told of every write that failed, after the log. */
  readonly onFailedWrite?: (failure: FailedWrite) => void;
  /** How many processes served this mount before this one: handles that these gave out are never given out again while they may be in use. */
  readonly incarnation?: number;
  /** Why no write is taken: each gets EIO and this sentence. */
  readonly refuseWrites?: string;
}

/** A node where it was found. It stays what it is, also when its path comes to lead elsewhere. */
export interface Located {
  readonly node: TreeNode;
  readonly path: string;
  /** True where the node or something above it comes and goes by itself: not to be cached for long. */
  readonly changing: boolean;
}

/**
 * A directory tree served to clients with the semantics of sysfs and cgroupfs, whatever the transport. Paths are absolute, `/` apart,
 * latin1 (a character a byte). Every method throws what `outcomes.failed()` turns into an errno; nothing here blocks or touches the machine.
 */
export class Tree {
  readonly outcomes: Outcomes;
  readonly #writes = new Writes();
  readonly #openFiles = new Map<number, Opened>();
  readonly #started = Date.now();
  readonly #firstHandle: number;
  #lastHandle = 0;

  constructor(
    private readonly root: Directory,
    private readonly owner: Ownership,
    private readonly options: TreeOptions = {},
  ) {
    this.outcomes = new Outcomes(options.log ?? silentLog, options.onFailedWrite);
    this.#firstHandle = ((options.incarnation ?? 0) % PROCESSES_TOLD_APART) * HANDLES_OF_ONE_PROCESS;
  }

  /** Throws NO_SUCH_FILE: ENOENT, or ENOTDIR when the path leads through a file. */
  find(path: string): Located {
    let found: Located = { node: this.root, path: '/', changing: this.root.changing };
    for (const name of path.split('/')) {
      if (name === '') continue;
      const child = this.child(found, name);
      if (child === undefined) throw new ColdpgsError('NO_SUCH_FILE', 'ENOENT', 'There is no such file or directory.');
      found = child;
    }
    return found;
  }

  /** The entry of that name, or undefined. Throws NO_SUCH_FILE: ENOTDIR when the parent is a file, ENAMETOOLONG for a name that no file can have. */
  child(parent: Located, name: string): Located | undefined {
    if (name.length > LONGEST_NAME_BYTES)
      throw new ColdpgsError('NO_SUCH_FILE', 'ENAMETOOLONG', `A name has at most ${LONGEST_NAME_BYTES} bytes.`);
    const node = directoryOf(parent).child(name);
    if (node === undefined) return undefined;
    return {
      node,
      path: parent.path === '/' ? `/${name}` : `${parent.path}/${name}`,
      changing: parent.changing || (node.kind === 'directory' && node.changing),
    };
  }

  /** Whether its path leads to this very node: among what comes and goes it may have gone, and another have taken its place. */
  isCurrent({ node, path, changing }: Located): boolean {
    if (!changing) return true;
    try {
      return this.find(path).node.identity === node.identity;
    } catch (failure) {
      if (failure instanceof ColdpgsError && failure.code === 'NO_SUCH_FILE') return false;
      throw failure;
    }
  }

  /** The names in a directory, without "." and "..". Throws NO_SUCH_FILE: ENOENT when it has gone, ENOTDIR when it is none. */
  names(directory: Located): string[] {
    return directoryOf(directory).names();
  }

  /** Entries of a directory; those of the machine's own directories come without a look at them. Throws as `names` does. */
  entries(directory: Located): readonly (PassedEntry | { readonly name: string })[] {
    const { passed } = directoryOf(directory);
    return passed ? passed.list() : this.names(directory).map((name) => ({ name }));
  }

  /** Makes a directory among those of the machine. Rejects with NOT_WRITABLE (EPERM) elsewhere, and with the kernel's refusal. */
  async make(parent: Located, name: string, mode: number, caller: Caller): Promise<Located> {
    await passedDirectory(parent).make(name, mode, caller);
    const made = this.child(parent, name);
    if (made === undefined) throw new ColdpgsError('NO_SUCH_FILE', 'ENOENT', 'The new directory was removed at once.');
    return made;
  }

  /** Removes a directory of the machine. Rejects with NOT_WRITABLE (EPERM) elsewhere, and with the kernel's refusal. */
  async remove(parent: Located, name: string, caller: Caller): Promise<void> {
    await passedDirectory(parent).remove(name, caller);
  }

  /** Changes mode, owner or times of what is the machine's. Throws NOT_WRITABLE (EPERM) elsewhere, and the kernel's refusal. */
  change({ node }: Located, change: StatusChange): void {
    if (node.kind === 'passed') node.change(change);
    else if (node.kind === 'directory' && node.passed) node.passed.change(change);
    else throw shapeIsOurs();
  }

  attributes({ node, changing }: Located): Attributes {
    return attributesOf(node, this.owner, this.#started, changing);
  }

  /** Throws NO_SUCH_FILE: ENOENT, or ENOTDIR when the path leads through a file. */
  stat(path: string): Attributes {
    return this.attributes(this.find(path));
  }

  /** The names in a directory, "." and ".." first. Throws NO_SUCH_FILE: ENOENT, ENOTDIR. */
  list(path: string): string[] {
    return ['.', '..', ...this.names(this.find(path))];
  }

  /**
   * Opens a file and renders its text if it is to be read. `flags` are those of open(2). Returns a handle, a small positive number that is
   * the caller's until `release`. Throws NO_SUCH_FILE (ENOENT, ENOTDIR, EISDIR), NOT_WRITABLE (EACCES, for root too),
   * TOO_MANY_OPEN (ENFILE), and what `render` throws.
   */
  open(path: string, flags: number): number {
    return this.openAt(this.find(path), flags);
  }

  /** As `open`, for a node that was found before. */
  openAt({ node }: Located, flags: number, caller?: Caller): number {
    this.#requireRoom();
    const opened = openedOf(node, flags, caller);
    const handle = this.#freeHandle();
    this.#openFiles.set(handle, opened);
    return handle;
  }

  /**
   * Opens a node under a handle that an earlier process gave out; does nothing when this has been done. Its text ends where it ended then
   * (`mostBytes`), so that a reader in the middle of it does not find more than it began with. Throws as `open` does.
   */
  adopt(handle: number, { node }: Located, flags: number, mostBytes: number, caller?: Caller): void {
    if (this.isOpen(handle)) return;
    this.#requireRoom();
    this.#openFiles.set(handle, openedOf(node, flags, caller, mostBytes));
  }

  isOpen(handle: number): boolean {
    return this.#openFiles.has(handle);
  }

  /** Bytes of the text that a handle shows; 0 when it is not open for reading. */
  textBytes(handle: number): number {
    return this.#opened(handle).textBytes;
  }

  /**
   * Whether the text has changed since this handle last read it. `wake` is called at the next change, once, unless another is given before. Files
   * that do not tell of changes never have any.
   */
  poll(handle: number, wake?: () => void): boolean {
    return this.#opened(handle).poll(wake);
  }

  /** At most `length` bytes from `offset` of the text as it was at open; empty past its end. A read at 0 after the first read renders anew. */
  read(handle: number, offset: number, length: number): Uint8Array {
    return this.#opened(handle).read(offset, length);
  }

  /**
   * Applies one write(2), whatever its position, after those to the same file that came before. The bytes are copied before this returns.
   * Resolves with their count when the effect is done; rejects with WRITE_TOO_LONG (EINVAL), CANCELLED (EINTR; ENODEV once closed),
   * and what `apply` throws. `signal` aborts the write where the transport knows that the writer gave up; `begun` is called when its effect
   * takes time, before anything of it is done but what `apply` stores at once.
   */
  async write(handle: number, bytes: Uint8Array, options: WriteOptions = {}): Promise<number> {
    const opened = this.#opened(handle);
    const file = opened.writable;
    if (file === undefined) throw badHandle('The file is not open for writing.');
    if (bytes.length === 0) return 0;
    if (bytes.length > opened.longestWrite)
      throw new ColdpgsError(
        'WRITE_TOO_LONG',
        'EINVAL',
        `A write takes at most ${opened.longestWrite} bytes, not ${bytes.length}.`,
      );
    if (this.options.refuseWrites !== undefined)
      throw new ColdpgsError('LAST_STATE_ONLY', 'EIO', this.options.refuseWrites);
    const count = bytes.length;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, count).toString('latin1');
    await this.#writes.apply(file, text, options);
    return count;
  }

  /** Does nothing to a writable file (`>` truncates before it writes). Throws as `open` for writing does. */
  truncate(path: string): void {
    this.truncateAt(this.find(path));
  }

  truncateAt({ node }: Located): void {
    if (node.kind !== 'passed') writable(fileOf(node));
  }

  /** Gives a handle back. An unknown one is ignored: nobody can act on that error. */
  release(handle: number): void {
    this.#openFiles.get(handle)?.close();
    this.#openFiles.delete(handle);
  }

  get openFiles(): number {
    return this.#openFiles.size;
  }

  get writesInProgress(): number {
    return this.#writes.inProgress;
  }

  /** Resolves when no write is in progress. */
  async settled(): Promise<void> {
    await this.#writes.settled();
  }

  /** Takes no more writes, aborts the signals of those in progress, resolves when they have ended. Reading goes on working. */
  async close(): Promise<void> {
    await this.#writes.close();
  }

  #requireRoom(): void {
    if (this.#openFiles.size >= MOST_OPEN_FILES)
      throw new ColdpgsError('TOO_MANY_OPEN', 'ENFILE', `${MOST_OPEN_FILES} files of coldpgs are open already.`);
  }

  #opened(handle: number): Opened {
    const opened = this.#openFiles.get(handle);
    if (opened === undefined) throw badHandle('The file is not open.');
    return opened;
  }

  #freeHandle(): number {
    let handle;
    do {
      this.#lastHandle = (this.#lastHandle % (HANDLES_OF_ONE_PROCESS - 1)) + 1;
      handle = this.#firstHandle + this.#lastHandle;
    } while (this.#openFiles.has(handle));
    return handle;
  }
}

function openedOf(node: TreeNode, flags: number, caller?: Caller, mostBytes?: number): Opened {
  if (node.kind !== 'passed') return new OpenFile(fileOf(node), flags, mostBytes);
  if (caller === undefined)
    throw new ColdpgsError('NOT_WRITABLE', 'EOPNOTSUPP', 'Files of the machine are passed through by dev-fuse only.');
  return new OpenPassedFile(node, flags, caller);
}

function fileOf(node: TreeNode): ControlFile {
  if (node.kind !== 'file') throw new ColdpgsError('NO_SUCH_FILE', 'EISDIR', 'This is a directory, not a file.');
  return node;
}

function passedDirectory(located: Located): PassedDirectory {
  const { passed } = directoryOf(located);
  if (passed === undefined) throw shapeIsOurs();
  return passed;
}

/** What everything is answered that would alter the shape of the tree where it is not the machine's. */
export function shapeIsOurs(errno: 'EPERM' | 'EACCES' = 'EPERM'): ColdpgsError {
  return new ColdpgsError('NOT_WRITABLE', errno, 'Only coldpgs makes, changes and removes files here.');
}

function directoryOf({ node }: Located): Directory {
  if (node.kind === 'directory') return node;
  throw new ColdpgsError('NO_SUCH_FILE', 'ENOTDIR', 'This is a file, not a directory.');
}
