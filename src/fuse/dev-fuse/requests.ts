import type { Caller, StatusChange } from '../../passed.js';
import {
  FATTR_ATIME,
  FATTR_GID,
  FATTR_MODE,
  FATTR_MTIME,
  FATTR_SIZE,
  FATTR_UID,
  fuse_batch_forget_in,
  fuse_forget_in,
  fuse_forget_one,
  fuse_in_header,
  fuse_init_in,
  fuse_interrupt_in,
  fuse_mkdir_in,
  fuse_open_in,
  fuse_poll_in,
  fuse_read_in,
  fuse_release_in,
  fuse_setattr_in,
  fuse_write_in,
  FUSE_POLL_SCHEDULE_NOTIFY,
  FUSE_UNIQUE_RESEND_HIGH,
  opcode,
} from './protocol.js';

/** What every request says of itself and of who asks. */
export interface Header {
  readonly opcode: number;
  /** The two halves of the request's number, as they go into the reply. */
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
  readonly nodeId: number;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

/** `fuse_open_out.fh`, which comes back with every use of the open file: two halves, for numbers of JavaScript have 53 bits. */
export interface FileHandle {
  readonly low: number;
  readonly high: number;
}

export type Request =
  | { readonly op: 'init'; readonly major: number; readonly minor: number; readonly flags: number }
  | { readonly op: 'lookup'; readonly name: string }
  | { readonly op: 'forget'; readonly nodes: readonly { readonly id: number; readonly lookups: number }[] }
  | { readonly op: 'getattr' | 'statfs' | 'opendir' | 'create' | 'change' | 'destroy' }
  | { readonly op: 'truncate' }
  | { readonly op: 'setattr'; readonly change: StatusChange }
  | { readonly op: 'mkdir'; readonly name: string; readonly mode: number }
  | { readonly op: 'rmdir'; readonly name: string }
  | { readonly op: 'open'; readonly flags: number }
  | ({ readonly op: 'read'; readonly offset: number; readonly size: number; readonly flags: number } & FileHandle)
  | ({ readonly op: 'write'; readonly bytes: Uint8Array; readonly flags: number } & FileHandle)
  | ({ readonly op: 'release' | 'releasedir' } & FileHandle)
  | ({ readonly op: 'readdir' | 'readdirplus'; readonly offset: number; readonly size: number } & FileHandle)
  | { readonly op: 'interrupt'; readonly of: number }
  | ({ readonly op: 'poll'; readonly kernelHandle: number; readonly wake: boolean } & FileHandle)
  /** What the kernel can do without: it is told so once, and then answers itself. */
  | { readonly op: 'not needed' }
  | { readonly op: 'unknown' };

/** Bytes that are no request. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

/** A request's number for tables: the same for a request and its repetition after FUSE_NOTIFY_RESEND. Exact up to 2^53. */
export function uniqueOf(low: number, high: number): number {
  return (high & ~FUSE_UNIQUE_RESEND_HIGH) * 2 ** 32 + low;
}

/** Enough of a header to answer a request that an earlier process had read. */
export function headerOf(unique: number): Header {
  const uniqueHigh = Math.floor(unique / 2 ** 32);
  return { opcode: 0, uniqueLow: unique % 2 ** 32, uniqueHigh, nodeId: 0, uid: 0, gid: 0, pid: 0 };
}

/** Who asks. */
export function callerOf({ uid, gid, pid }: Header): Caller {
  return { uid, gid, threadId: pid };
}

/** Whether the kernel sent it before, to a daemon that died. */
export function isResent({ uniqueHigh }: Header): boolean {
  return (uniqueHigh & FUSE_UNIQUE_RESEND_HIGH) !== 0;
}

/** The header of a request of `length` bytes, or undefined where there is not even one. */
export function decodeHeader(buffer: Buffer, length: number): Header | undefined {
  if (length < fuse_in_header.size) return undefined;
  return {
    opcode: buffer.readUInt32LE(fuse_in_header.opcode),
    uniqueLow: buffer.readUInt32LE(fuse_in_header.unique),
    uniqueHigh: buffer.readUInt32LE(fuse_in_header.unique + 4),
    nodeId: u64(buffer, fuse_in_header.nodeid),
    uid: buffer.readUInt32LE(fuse_in_header.uid),
    gid: buffer.readUInt32LE(fuse_in_header.gid),
    pid: buffer.readUInt32LE(fuse_in_header.pid),
  };
}

/** What the request asks. `bytes` of a write lie in `buffer`. Throws Malformed. */
export function decodeRequest(header: Header, buffer: Buffer, length: number): Request {
  const announced = buffer.readUInt32LE(fuse_in_header.len);
  if (announced !== length) throw new Malformed(`${length} bytes came, the header says ${announced}`);
  const at = fuse_in_header.size;

  function need(bytes: number): void {
    if (length - at < bytes) throw new Malformed(`${length - at} bytes where ${bytes} are needed`);
  }

  switch (header.opcode) {
    case opcode.FUSE_LOOKUP:
      return { op: 'lookup', name: nameAt(buffer, at, length) };
    case opcode.FUSE_FORGET:
      need(fuse_forget_in.size);
      return { op: 'forget', nodes: [{ id: header.nodeId, lookups: u64(buffer, at + fuse_forget_in.nlookup) }] };
    case opcode.FUSE_BATCH_FORGET: {
      need(fuse_batch_forget_in.size);
      const count = buffer.readUInt32LE(at + fuse_batch_forget_in.count);
      need(fuse_batch_forget_in.size + count * fuse_forget_one.size);
      const first = at + fuse_batch_forget_in.size;
      const nodes = Array.from({ length: count }, (_, index) => {
        const one = first + index * fuse_forget_one.size;
        return { id: u64(buffer, one + fuse_forget_one.nodeid), lookups: u64(buffer, one + fuse_forget_one.nlookup) };
      });
      return { op: 'forget', nodes };
    }
    case opcode.FUSE_GETATTR:
      return { op: 'getattr' };
    case opcode.FUSE_SETATTR:
      need(fuse_setattr_in.size);
      if (buffer.readUInt32LE(at + fuse_setattr_in.valid) & FATTR_SIZE) return { op: 'truncate' };
      return { op: 'setattr', change: changeAt(buffer, at) };
    case opcode.FUSE_OPEN:
      need(fuse_open_in.size);
      return { op: 'open', flags: buffer.readUInt32LE(at + fuse_open_in.flags) };
    case opcode.FUSE_OPENDIR:
      return { op: 'opendir' };
    case opcode.FUSE_READ:
      need(fuse_read_in.size);
      return {
        op: 'read',
        ...handleAt(buffer, at + fuse_read_in.fh),
        offset: u64(buffer, at + fuse_read_in.offset),
        size: buffer.readUInt32LE(at + fuse_read_in.size_),
        flags: buffer.readUInt32LE(at + fuse_read_in.flags),
      };
    case opcode.FUSE_READDIR:
    case opcode.FUSE_READDIRPLUS:
      need(fuse_read_in.size);
      return {
        op: header.opcode === opcode.FUSE_READDIR ? 'readdir' : 'readdirplus',
        ...handleAt(buffer, at + fuse_read_in.fh),
        offset: u64(buffer, at + fuse_read_in.offset),
        size: buffer.readUInt32LE(at + fuse_read_in.size_),
      };
    case opcode.FUSE_WRITE: {
      need(fuse_write_in.size);
      const size = buffer.readUInt32LE(at + fuse_write_in.size_);
      need(fuse_write_in.size + size);
      const first = at + fuse_write_in.size;
      return {
        op: 'write',
        ...handleAt(buffer, at + fuse_write_in.fh),
        bytes: buffer.subarray(first, first + size),
        flags: buffer.readUInt32LE(at + fuse_write_in.flags),
      };
    }
    case opcode.FUSE_RELEASE:
    case opcode.FUSE_RELEASEDIR:
      need(fuse_release_in.size);
      return {
        op: header.opcode === opcode.FUSE_RELEASE ? 'release' : 'releasedir',
        ...handleAt(buffer, at + fuse_release_in.fh),
      };
    case opcode.FUSE_STATFS:
      return { op: 'statfs' };
    case opcode.FUSE_INIT:
      need(fuse_init_in.size);
      return {
        op: 'init',
        major: buffer.readUInt32LE(at + fuse_init_in.major),
        minor: buffer.readUInt32LE(at + fuse_init_in.minor),
        flags: buffer.readUInt32LE(at + fuse_init_in.flags),
      };
    case opcode.FUSE_INTERRUPT: {
      need(fuse_interrupt_in.size);
      const { low, high } = handleAt(buffer, at + fuse_interrupt_in.unique);
      return { op: 'interrupt', of: uniqueOf(low, high) };
    }
    case opcode.FUSE_POLL:
      need(fuse_poll_in.size);
      return {
        op: 'poll',
        ...handleAt(buffer, at + fuse_poll_in.fh),
        kernelHandle: u64(buffer, at + fuse_poll_in.kh),
        wake: (buffer.readUInt32LE(at + fuse_poll_in.flags) & FUSE_POLL_SCHEDULE_NOTIFY) !== 0,
      };
    case opcode.FUSE_DESTROY:
      return { op: 'destroy' };
    case opcode.FUSE_CREATE:
      return { op: 'create' };
    case opcode.FUSE_MKDIR: {
      need(fuse_mkdir_in.size);
      const name = nameAt(buffer, at + fuse_mkdir_in.size, length);
      return { op: 'mkdir', name, mode: buffer.readUInt32LE(at + fuse_mkdir_in.mode) & 0o7777 };
    }
    case opcode.FUSE_RMDIR:
      return { op: 'rmdir', name: nameAt(buffer, at, length) };
    case opcode.FUSE_SYMLINK:
    case opcode.FUSE_MKNOD:
    case opcode.FUSE_UNLINK:
    case opcode.FUSE_RENAME:
    case opcode.FUSE_RENAME2:
    case opcode.FUSE_LINK:
      return { op: 'change' };
    case opcode.FUSE_FLUSH:
    case opcode.FUSE_FSYNC:
    case opcode.FUSE_FSYNCDIR:
    case opcode.FUSE_ACCESS:
    case opcode.FUSE_SETXATTR:
    case opcode.FUSE_GETXATTR:
    case opcode.FUSE_LISTXATTR:
    case opcode.FUSE_REMOVEXATTR:
      return { op: 'not needed' };
    default:
      return { op: 'unknown' };
  }
}

/** What a SETATTR asks for but a size. A time that is to be now comes as the time it is now. */
function changeAt(buffer: Buffer, at: number): StatusChange {
  const { valid, mode, uid, gid, atime, atimensec, mtime, mtimensec } = fuse_setattr_in;
  const asked = buffer.readUInt32LE(at + valid);
  const ms = (seconds: number, nanoseconds: number): number =>
    u64(buffer, at + seconds) * 1000 + buffer.readUInt32LE(at + nanoseconds) / 1e6;
  return {
    ...(asked & FATTR_MODE && { mode: buffer.readUInt32LE(at + mode) & 0o7777 }),
    ...(asked & FATTR_UID && { uid: buffer.readUInt32LE(at + uid) }),
    ...(asked & FATTR_GID && { gid: buffer.readUInt32LE(at + gid) }),
    ...(asked & FATTR_ATIME && { accessedMs: ms(atime, atimensec) }),
    ...(asked & FATTR_MTIME && { modifiedMs: ms(mtime, mtimensec) }),
  };
}

/** A name in bytes, as the tree has it: a character a byte. It ends with a NUL. */
function nameAt(buffer: Buffer, start: number, length: number): string {
  const end = buffer.subarray(0, length).indexOf(0, start);
  if (end <= start) throw new Malformed('a name that is empty or does not end');
  return buffer.toString('latin1', start, end);
}

function handleAt(buffer: Buffer, at: number): FileHandle {
  return { low: buffer.readUInt32LE(at), high: buffer.readUInt32LE(at + 4) };
}

/** Exact up to 2^53; node ids of ours have 48 bits, offsets of the kernel are below 2^63 and only compared. */
function u64(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at + 4) * 2 ** 32 + buffer.readUInt32LE(at);
}
