import type { Continuity } from '../../../../src/fuse/dev-fuse/continuity.js';
import { FUSE_NOTIFY_RESEND, fuse_in_header, opcode } from '../../../../src/fuse/dev-fuse/protocol.js';
import { Session } from '../../../../src/fuse/dev-fuse/session.js';
import { type Log, silentLog } from '../../../../src/log.js';
import type { Tree } from '../../../../src/tree/tree.js';

export interface Reply {
  readonly unique: bigint;
  /** 0, or a negative errno; the code of a notification (unique 0). */
  readonly error: number;
  readonly body: Buffer;
}

export interface Asked {
  readonly nodeId?: number | bigint;
  readonly body?: Buffer;
  readonly unique?: bigint;
  readonly uid?: number;
  readonly pid?: number;
}

/** A request in the form of the protocol: fuse_in_header and what follows it. */
export function request(
  code: number,
  { nodeId = 1, body = Buffer.alloc(0), unique = 2n, uid = 0, pid = 1 }: Asked = {},
): Buffer {
  const header = Buffer.alloc(fuse_in_header.size);
  header.writeUInt32LE(header.length + body.length, fuse_in_header.len);
  header.writeUInt32LE(code, fuse_in_header.opcode);
  header.writeBigUInt64LE(unique, fuse_in_header.unique);
  header.writeBigUInt64LE(BigInt(nodeId), fuse_in_header.nodeid);
  header.writeUInt32LE(uid, fuse_in_header.uid);
  header.writeUInt32LE(pid, fuse_in_header.pid);
  return Buffer.concat([header, body]);
}

/** Little-endian fields one after the other: [bits, value]. */
export function fields(...values: readonly (readonly [bits: 32 | 64, value: number | bigint])[]): Buffer {
  return Buffer.concat(
    values.map(([bits, value]) => {
      const bytes = Buffer.alloc(bits / 8);
      if (bits === 32) bytes.writeUInt32LE(Number(value));
      else bytes.writeBigUInt64LE(BigInt(value));
      return bytes;
    }),
  );
}

export const name = (text: string): Buffer => Buffer.from(`${text}\0`, 'latin1');
export const openIn = (flags: number): Buffer => fields([32, flags], [32, 0]);
export const readIn = (handle: bigint, offset: number, size: number, flags = 0): Buffer =>
  fields([64, handle], [64, offset], [32, size], [32, 0], [64, 0], [32, flags], [32, 0]);
export const writeIn = (handle: bigint, text: string, flags = 1): Buffer =>
  Buffer.concat([
    fields([64, handle], [64, 0], [32, text.length], [32, 0], [64, 0], [32, flags], [32, 0]),
    Buffer.from(text, 'latin1'),
  ]);
export const releaseIn = (handle: bigint): Buffer => fields([64, handle], [32, 0], [32, 0], [64, 0]);
export const pollIn = (handle: bigint, kernelHandle: number, wake: boolean): Buffer =>
  fields([64, handle], [64, kernelHandle], [32, wake ? 1 : 0], [32, 0]);

/** The kernel's side of a session: asks, and keeps what is answered. */
export class KernelSide {
  readonly replies: Reply[] = [];
  readonly session: Session;
  #unique = 0n;

  /** `resends` is false for a kernel before 6.9. */
  constructor(
    tree: Tree,
    { log = silentLog, continuity, resends = true }: { log?: Log; continuity?: Continuity; resends?: boolean } = {},
  ) {
    this.session = new Session({
      tree,
      log,
      ...(continuity && { continuity }),
      send: (bytes) => {
        const reply = Buffer.from(bytes);
        if (reply.readUInt32LE(0) !== reply.length) throw new Error('the length in the header is wrong');
        const unique = reply.readBigUInt64LE(8);
        if (!resends && unique === 0n && reply.readInt32LE(4) === FUSE_NOTIFY_RESEND) return 'EINVAL';
        this.replies.push({ unique, error: reply.readInt32LE(4), body: reply.subarray(16) });
        return undefined;
      },
    });
  }

  /** Hands over bytes as they are. */
  give(bytes: Buffer): void {
    this.session.handle(bytes, bytes.length);
  }

  /** Asks, and returns the number of the request. */
  ask(code: number, asked: Asked = {}): bigint {
    const unique = asked.unique ?? (this.#unique += 2n);
    this.give(request(code, { ...asked, unique }));
    return unique;
  }

  /** Asks what is answered at once. */
  answer(code: number, asked: Asked = {}): Reply {
    const unique = this.ask(code, asked);
    const reply = this.replyTo(unique);
    if (reply === undefined) throw new Error('there is no answer yet');
    return reply;
  }

  replyTo(unique: bigint): Reply | undefined {
    return this.replies.findLast((reply) => reply.unique === unique);
  }

  /** The node id that a path has, looked up name by name. */
  lookup(path: string): bigint {
    let nodeId = 1n;
    for (const part of path.split('/').filter((part) => part !== ''))
      nodeId = this.answer(opcode.FUSE_LOOKUP, { nodeId, body: name(part) }).body.readBigUInt64LE(0);
    return nodeId;
  }

  /** Opens, and returns the file handle. */
  open(nodeId: bigint, flags = 0): bigint {
    return this.answer(opcode.FUSE_OPEN, { nodeId, body: openIn(flags) }).body.readBigUInt64LE(0);
  }

  read(nodeId: bigint, handle: bigint, offset = 0, size = 4096): string {
    const { error, body } = this.answer(opcode.FUSE_READ, { nodeId, body: readIn(handle, offset, size) });
    if (error !== 0) throw new Error(`read failed: ${error}`);
    return body.toString('latin1');
  }
}
