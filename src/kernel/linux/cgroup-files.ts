import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmdirSync,
  utimesSync,
  watch,
  write,
} from 'node:fs';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { ColdpgsError } from '../../errors.js';
import type { Caller, OpenPassed, PassedEntry, Status, StatusChange } from '../../passed.js';
import type { CgroupFiles } from '../cgroup-files.js';
import { actAs, isAtHome, type Opener, openerOf, readAs } from './caller.js';
import { pathBytes, readTextSync, writeText } from './kernel-file.js';

const { O_APPEND, O_NONBLOCK, O_RDWR, O_TRUNC, O_WRONLY } = constants;

/** What of the flags of open(2) is passed on: nothing that makes a file. */
const PASSED_FLAGS = O_WRONLY | O_RDWR | O_TRUNC | O_APPEND | O_NONBLOCK;

/** Files whose text and whose writes mean processes, by ids that depend on who reads and writes. */
const processFiles = new Set(['cgroup.procs', 'cgroup.threads', 'tasks']);

/** Files whose write takes the kernel as long as it reclaims. A process of its own does it, so that the writer can be interrupted. */
const longWrites = new Set(['memory.reclaim', 'memory.force_empty']);

/** Files that take triggers of pressure stall information, which belong to the descriptor that wrote them. */
const triggerFiles = /^(cpu|io|irq|memory)\.pressure$/;

/** Files of which the kernel tells when they change (kernfs_notify). */
const notifyingFiles = /^(cgroup|memory|memory\.swap|pids|hugetlb\..*|misc)\.events(\.local)?$/;

/** What was read last: a buffer for each read would cost more than the read. */
let readBuffer = Buffer.allocUnsafe(128 * 1024);

const writeOnce = promisify(write) as unknown as (descriptor: number, bytes: Uint8Array) => Promise<unknown>;

/** The cgroup file system below a folder. */
export class LinuxCgroupFiles implements CgroupFiles {
  constructor(
    private readonly root: string,
    readonly version: 1 | 2,
  ) {}

  status(path: string): Status {
    const found = lstatSync(pathBytes(this.#at(path)));
    return {
      inode: found.ino,
      isDirectory: found.isDirectory(),
      mode: found.mode & 0o7777,
      uid: found.uid,
      gid: found.gid,
      links: found.nlink,
      modifiedMs: found.mtimeMs,
    };
  }

  list(path: string): PassedEntry[] {
    const directories: PassedEntry[] = [];
    const files: PassedEntry[] = [];
    for (const entry of readdirSync(pathBytes(this.#at(path)), { encoding: 'latin1', withFileTypes: true }))
      if (entry.isDirectory()) directories.push({ name: entry.name, isDirectory: true });
      else files.push({ name: entry.name, isDirectory: false });
    return directories.concat(files);
  }

  open(path: string, flags: number, caller: Caller): OpenPassed {
    const file = this.#at(path);
    const name = basename(file);
    const descriptor = openSync(pathBytes(file), flags & PASSED_FLAGS);
    const opener = (flags & (O_WRONLY | O_RDWR)) === 0 ? undefined : openerOf(caller);
    if (processFiles.has(name)) return new OpenProcessFile(file, descriptor, opener, caller);
    return new OpenCgroupFile(file, descriptor, opener, longWrites.has(name));
  }

  read(path: string): string {
    return readTextSync(this.#at(path));
  }

  write(path: string, text: string): Promise<void> {
    return writeText(this.#at(path), text);
  }

  async make(path: string, mode: number, caller: Caller): Promise<void> {
    const directory = this.#at(path);
    if (caller.uid !== 0) return actAs(openerOf(caller), caller, { act: 'mkdir', file: directory, mode });
    // At once: it takes the kernel less than handing it to another thread, which may have to wait for its turn.
    mkdirSync(pathBytes(directory), mode);
  }

  async remove(path: string, caller: Caller): Promise<void> {
    const directory = this.#at(path);
    if (caller.uid !== 0) return actAs(openerOf(caller), caller, { act: 'rmdir', file: directory });
    rmdirSync(pathBytes(directory));
  }

  /** The kernel has checked that the caller may (default_permissions). */
  change(path: string, { mode, uid, gid, accessedMs, modifiedMs }: StatusChange): void {
    const file = pathBytes(this.#at(path));
    if (uid !== undefined || gid !== undefined) {
      const { uid: owner, gid: group } = lstatSync(file);
      chownSync(file, uid ?? owner, gid ?? group);
    }
    if (mode !== undefined) chmodSync(file, mode);
    if (accessedMs !== undefined || modifiedMs !== undefined) {
      const { atimeMs, mtimeMs } = lstatSync(file);
      utimesSync(file, (accessedMs ?? atimeMs) / 1000, (modifiedMs ?? mtimeMs) / 1000);
    }
  }

  #at(path: string): string {
    return path === '/' ? this.root : this.root + path;
  }
}

/** `opener` is missing where it is open for reading only. */
class OpenCgroupFile implements OpenPassed {
  readonly onChange?: (listener: () => void) => () => void;

  constructor(
    protected readonly file: string,
    private readonly descriptor: number,
    protected readonly opener: Opener | undefined,
    private readonly isLong: boolean,
  ) {
    if (notifyingFiles.test(basename(file)))
      this.onChange = (listener) => {
        const watcher = watch(pathBytes(file), { persistent: false }, listener);
        // It ends with its file, which a reader is told by the kernel.
        watcher.on('error', listener);
        return () => watcher.close();
      };
  }

  read(offset: number, length: number): Uint8Array {
    if (length > readBuffer.length) readBuffer = Buffer.allocUnsafe(length);
    return readBuffer.subarray(0, readSync(this.descriptor, readBuffer, 0, length, offset));
  }

  async write(bytes: string, caller: Caller, signal: AbortSignal): Promise<void> {
    if (triggerFiles.test(basename(this.file)))
      throw new ColdpgsError(
        'KERNEL_REFUSED',
        'EOPNOTSUPP',
        'A pressure trigger cannot be polled through coldpgs: set it in the real hierarchy, outside of coldpgs exec.',
      );
    if (this.opener && (this.isLong || !this.opener.isOfOurCgroupNamespace))
      return actAs(this.opener, caller, { act: 'write', file: this.file, bytes }, signal);
    await writeOnce(this.descriptor, Buffer.from(bytes, 'latin1'));
  }

  close(): void {
    closeSync(this.descriptor);
    this.opener?.close();
  }
}

/** A file that lists processes, and moves those whose id is written: ids are those of the pid namespace of who reads and who writes. */
class OpenProcessFile extends OpenCgroupFile {
  #foreign: Buffer | undefined;
  #readsAtHome: boolean | undefined;

  constructor(
    file: string,
    descriptor: number,
    opener: Opener | undefined,
    private readonly reader: Caller,
  ) {
    super(file, descriptor, opener, false);
  }

  override read(offset: number, length: number): Uint8Array {
    this.#readsAtHome ??= isAtHome(this.reader);
    if (this.#readsAtHome) return super.read(offset, length);
    if (offset === 0 || this.#foreign === undefined) {
      // Throws what a read here throws.
      super.read(0, 1);
      this.#foreign = readAs(this.reader, this.file);
    }
    return this.#foreign.subarray(offset, offset + length);
  }

  override async write(bytes: string, caller: Caller, signal: AbortSignal): Promise<void> {
    const id = meansCaller(bytes) ? undefined : bytes;
    if (this.opener?.uid === 0 && this.opener.isOfOurCgroupNamespace && isAtHome(caller))
      return super.write(id ?? String(caller.threadId), caller, signal);
    await actAs(this.opener ?? openerOf(caller), caller, { act: 'move', file: this.file, bytes: id }, signal);
  }
}

/** Whether an id as the kernel parses it (any base, blanks around it) is 0: whoever writes it. */
export function meansCaller(bytes: string): boolean {
  return /^\s*\+?(?:0x)?0+\s*$/i.test(bytes);
}
