import type { Attributes } from '../../tree/attributes.js';
import {
  FOPEN_DIRECT_IO,
  fuse_attr,
  fuse_attr_out,
  fuse_dirent,
  fuse_entry_out,
  fuse_init_out,
  fuse_notify_poll_wakeup_out,
  fuse_open_out,
  fuse_out_header,
  fuse_poll_out,
  fuse_statfs_out,
  fuse_write_out,
  FUSE_KERNEL_VERSION,
  FUSE_UNKNOWN_INO,
} from './protocol.js';
import type { FileHandle, Header } from './requests.js';

/** The most bytes of one read: 32 pages, more the kernel does not ask for unless it is told that it may (FUSE_MAX_PAGES). */
export const MOST_READ_BYTES = 32 * 4096;

/**
 * Requests that nobody waits for, in the queue at a time. All the kernel allows: RELEASE is one, and were it held back (usually to 12), files would be
 * opened faster than they are closed under the load of many clients.
 */
const MOST_BACKGROUND = 0xffff;

/** `fuse_dirent.type` of a regular file. */
const DT_REG = 8;

/** Where replies and notifications go. Returns the errno name of a refusal. */
export type Send = (bytes: Uint8Array) => string | undefined;

/** An entry as LOOKUP and READDIRPLUS tell of it. */
export interface Entry {
  readonly nodeId: number;
  readonly attributes: Attributes;
  /** Milliseconds for which the kernel may answer from its memory. */
  readonly validMs: number;
}

/**
 * Builds one reply or notification at a time in a buffer of its own. Each method returns the bytes to send, which are good until the next call.
 */
export class ReplyBuffer {
  readonly #bytes = Buffer.alloc(fuse_out_header.size + MOST_READ_BYTES);

  /** A reply without a body: done (0), or a positive errno. */
  status(to: Header, errno: number): Uint8Array {
    return this.#seal(to, 0, errno);
  }

  init(to: Header, minor: number, flags: number, mostWriteBytes: number): Uint8Array {
    const at = this.#body(fuse_init_out.size);
    this.#u32(at + fuse_init_out.major, FUSE_KERNEL_VERSION);
    this.#u32(at + fuse_init_out.minor, minor);
    this.#u32(at + fuse_init_out.flags, flags);
    this.#bytes.writeUInt16LE(MOST_BACKGROUND, at + fuse_init_out.max_background);
    this.#bytes.writeUInt16LE(MOST_BACKGROUND, at + fuse_init_out.congestion_threshold);
    this.#u32(at + fuse_init_out.max_write, mostWriteBytes);
    this.#u32(at + fuse_init_out.time_gran, 1);
    return this.#seal(to, fuse_init_out.size);
  }

  entry(to: Header, entry: Entry): Uint8Array {
    this.#entry(this.#body(fuse_entry_out.size), entry);
    return this.#seal(to, fuse_entry_out.size);
  }

  /** "No such entry", which the kernel may remember for so long. */
  noEntry(to: Header, validMs: number): Uint8Array {
    const at = this.#body(fuse_entry_out.size);
    this.#duration(at + fuse_entry_out.entry_valid, at + fuse_entry_out.entry_valid_nsec, validMs);
    return this.#seal(to, fuse_entry_out.size);
  }

  attributes(to: Header, { attributes, validMs }: Entry): Uint8Array {
    const at = this.#body(fuse_attr_out.size);
    this.#duration(at + fuse_attr_out.attr_valid, at + fuse_attr_out.attr_valid_nsec, validMs);
    this.#attributes(at + fuse_attr_out.attr, attributes);
    return this.#seal(to, fuse_attr_out.size);
  }

  opened(to: Header, { low, high }: FileHandle, directIo: boolean): Uint8Array {
    const at = this.#body(fuse_open_out.size);
    this.#u32(at + fuse_open_out.fh, low);
    this.#u32(at + fuse_open_out.fh + 4, high);
    this.#u32(at + fuse_open_out.open_flags, directIo ? FOPEN_DIRECT_IO : 0);
    return this.#seal(to, fuse_open_out.size);
  }

  /** At most MOST_READ_BYTES. */
  data(to: Header, bytes: Uint8Array): Uint8Array {
    this.#bytes.set(bytes, fuse_out_header.size);
    return this.#seal(to, bytes.length);
  }

  written(to: Header, count: number): Uint8Array {
    const at = this.#body(fuse_write_out.size);
    this.#u32(at + fuse_write_out.size_, count);
    return this.#seal(to, fuse_write_out.size);
  }

  statfs(to: Header): Uint8Array {
    const at = this.#body(fuse_statfs_out.size);
    this.#u32(at + fuse_statfs_out.bsize, 4096);
    this.#u32(at + fuse_statfs_out.frsize, 4096);
    this.#u32(at + fuse_statfs_out.namelen, 255);
    return this.#seal(to, fuse_statfs_out.size);
  }

  polled(to: Header, events: number): Uint8Array {
    const at = this.#body(fuse_poll_out.size);
    this.#u32(at + fuse_poll_out.revents, events);
    return this.#seal(to, fuse_poll_out.size);
  }

  /** Begins a listing of at most `size` bytes, which `add` fills and `done` seals. */
  listing(to: Header, size: number): Listing {
    const first = fuse_out_header.size;
    const end = first + Math.min(size, MOST_READ_BYTES);
    let at = first;
    return {
      add: (name, next, entry, plus) => {
        const head = plus ? fuse_entry_out.size : 0;
        const bytes = head + fuse_dirent.size + ((name.length + 7) & ~7);
        if (at + bytes > end) return false;
        this.#bytes.fill(0, at, at + bytes);
        if (plus && plus === 'counted') this.#entry(at, entry);
        const { ino, mode } = entry.attributes;
        this.#dirent(at + head, name, next, ino, mode >>> 12);
        at += bytes;
        return true;
      },
      addUnseen: (name, next, plus) => {
        const head = plus ? fuse_entry_out.size : 0;
        const bytes = head + fuse_dirent.size + ((name.length + 7) & ~7);
        if (at + bytes > end) return false;
        this.#bytes.fill(0, at, at + bytes);
        this.#dirent(at + head, name, next, FUSE_UNKNOWN_INO, DT_REG);
        at += bytes;
        return true;
      },
      done: () => this.#seal(to, at - first),
    };
  }

  /** Wakes those who poll the file that the kernel calls so. */
  pollWakeup(code: number, kernelHandle: number): Uint8Array {
    this.#u64(this.#body(fuse_notify_poll_wakeup_out.size) + fuse_notify_poll_wakeup_out.kh, kernelHandle);
    return this.#sealed(fuse_notify_poll_wakeup_out.size, code, 0, 0);
  }

  /** A notification without a body. */
  notification(code: number): Uint8Array {
    return this.#sealed(0, code, 0, 0);
  }

  #dirent(at: number, name: string, next: number, ino: number, type: number): void {
    this.#u64(at + fuse_dirent.ino, ino);
    this.#u64(at + fuse_dirent.off, next);
    this.#u32(at + fuse_dirent.namelen, name.length);
    this.#u32(at + fuse_dirent.type, type);
    this.#bytes.write(name, at + fuse_dirent.size, 'latin1');
  }

  #entry(at: number, { nodeId, attributes, validMs }: Entry): void {
    this.#u64(at + fuse_entry_out.nodeid, nodeId);
    this.#duration(at + fuse_entry_out.entry_valid, at + fuse_entry_out.entry_valid_nsec, validMs);
    this.#duration(at + fuse_entry_out.attr_valid, at + fuse_entry_out.attr_valid_nsec, validMs);
    this.#attributes(at + fuse_entry_out.attr, attributes);
  }

  #attributes(at: number, { ino, mode, nlink, uid, gid, time }: Attributes): void {
    const seconds = Math.floor(time / 1000);
    const nanoseconds = Math.floor((time - seconds * 1000) * 1e6);
    this.#u64(at + fuse_attr.ino, ino);
    for (const field of ['atime', 'mtime', 'ctime'] as const) {
      this.#u64(at + fuse_attr[field], seconds);
      this.#u32(at + fuse_attr[`${field}nsec`], nanoseconds);
    }
    this.#u32(at + fuse_attr.mode, mode);
    this.#u32(at + fuse_attr.nlink, nlink);
    this.#u32(at + fuse_attr.uid, uid);
    this.#u32(at + fuse_attr.gid, gid);
    this.#u32(at + fuse_attr.blksize, 4096);
  }

  #duration(seconds: number, nanoseconds: number, milliseconds: number): void {
    const whole = Math.floor(milliseconds / 1000);
    this.#u64(seconds, whole);
    this.#u32(nanoseconds, (milliseconds - whole * 1000) * 1e6);
  }

  /** Where the body lies, all zero. */
  #body(size: number): number {
    this.#bytes.fill(0, fuse_out_header.size, fuse_out_header.size + size);
    return fuse_out_header.size;
  }

  #seal({ uniqueLow, uniqueHigh }: Header, size: number, errno = 0): Uint8Array {
    return this.#sealed(size, errno === 0 ? 0 : -errno, uniqueLow, uniqueHigh);
  }

  #sealed(size: number, error: number, uniqueLow: number, uniqueHigh: number): Uint8Array {
    const bytes = fuse_out_header.size + size;
    this.#u32(fuse_out_header.len, bytes);
    this.#bytes.writeInt32LE(error, fuse_out_header.error);
    this.#u32(fuse_out_header.unique, uniqueLow);
    this.#u32(fuse_out_header.unique + 4, uniqueHigh);
    return this.#bytes.subarray(0, bytes);
  }

  #u32(at: number, value: number): void {
    this.#bytes.writeUInt32LE(value, at);
  }

  #u64(at: number, value: number): void {
    this.#bytes.writeUInt32LE(value % 2 ** 32, at);
    this.#bytes.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
  }
}

/** A directory listing while it is filled. */
export interface Listing {
  /**
   * Adds a name, after which the listing goes on at `next`; false when there is no room. `plus` is for READDIRPLUS, where every name comes with its
   * entry: `counted` as a lookup, `bare` for "." and "..", which the kernel does not look up.
   */
  add(name: string, next: number, entry: Entry, plus: false | 'counted' | 'bare'): boolean;
  /** Adds the name of a file that nobody looked at; the kernel asks about it when it must. */
  addUnseen(name: string, next: number, plus: boolean): boolean;
  done(): Uint8Array;
}
