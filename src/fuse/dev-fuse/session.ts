import { constants } from 'node:os';
import { ColdpgsError, sentenceOf } from '../../errors.js';
import type { Log } from '../../log.js';
import type { Operation } from '../../tree/outcomes.js';
import { type Located, shapeIsOurs, type Tree } from '../../tree/tree.js';
import { type Continuity, noContinuity } from './continuity.js';
import { Directories } from './directories.js';
import { DirectoryChanges } from './directory-changes.js';
import { Entries } from './entries.js';
import { Nodes } from './nodes.js';
import { Pollers, pollEvents } from './pollers.js';
import * as protocol from './protocol.js';
import { ReplyBuffer, type Send } from './replies.js';
import { Resends } from './resends.js';
import {
  callerOf,
  decodeHeader,
  decodeRequest,
  type FileHandle,
  type Header,
  Malformed,
  type Request,
} from './requests.js';
import { WriteRequests } from './write-requests.js';

const { EIO, ENOSYS, EPROTO } = constants.errno;

/** The longest write that arrives whole. What a control file refuses is shorter, so a longer write(2) fails with its first part. */
const MOST_WRITE_BYTES = 8192;

/** open(2). */
const O_ACCMODE = 3;
const O_RDONLY = 0;

const WANTED_FLAGS =
  protocol.FUSE_ATOMIC_O_TRUNC |
  protocol.FUSE_BIG_WRITES |
  protocol.FUSE_DO_READDIRPLUS |
  protocol.FUSE_READDIRPLUS_AUTO |
  protocol.FUSE_PARALLEL_DIROPS;

export interface SessionOptions {
  readonly tree: Tree;
  readonly send: Send;
  readonly log: Log;
  readonly continuity?: Continuity;
  /** The kernel and we have agreed on a version: the mount answers. */
  readonly onReady?: () => void;
  /** The kernel's version is too old. */
  readonly onTooOld?: (version: string) => void;
}

/**
 * The conversation with the kernel about one mount. Every request is answered exactly once (those that want no answer: never), whatever is in it and
 * whatever is thrown: a client whose request is not answered hangs. All but writes and changes of directories are answered before `handle` returns.
 */
export class Session {
  readonly #tree: Tree;
  readonly #log: Log;
  readonly #continuity: Continuity;
  readonly #replies = new ReplyBuffer();
  readonly #nodes: Nodes;
  readonly #directories: Directories;
  readonly #entries: Entries;
  readonly #pollers: Pollers;
  readonly #changes: DirectoryChanges;
  readonly #writes: WriteRequests;
  readonly #toldOf = new Set<number>();
  readonly #resends: Resends;
  #answered = 0;

  constructor(private readonly options: SessionOptions) {
    this.#tree = options.tree;
    this.#log = options.log;
    this.#continuity = options.continuity ?? noContinuity;
    this.#nodes = new Nodes(this.#tree);
    this.#directories = new Directories(this.#tree, this.#continuity.incarnation);
    this.#entries = new Entries(this.#tree, this.#nodes, this.#directories, this.#replies);
    this.#resends = new Resends(options.send, this.#replies, this.#continuity);
    const wake = (kernelHandle: number): void =>
      void options.send(this.#replies.pollWakeup(protocol.FUSE_NOTIFY_POLL, kernelHandle));
    this.#pollers = new Pollers(wake, this.#continuity);
    const surroundings = {
      tree: this.#tree,
      continuity: this.#continuity,
      pathOf: (header: Header) => this.#pathOf(header),
      canResend: () => this.#resends.arePossible,
      answer: (header: Header, errno: number) => this.#status(header, errno),
    };
    this.#changes = new DirectoryChanges({
      ...surroundings,
      locate: ({ nodeId }) => this.#nodes.at(nodeId),
      answerEntry: (header, entry) => this.#send(header, this.#entries.lookedUp(header, entry)),
    });
    this.#writes = new WriteRequests({
      ...surroundings,
      handleOf: (header, handle, flags) => this.#handleOf(header, handle, flags),
      answerWritten: (header, count) => this.#send(header, this.#replies.written(header, count)),
    });
  }

  gauges(): Record<string, number> {
    return {
      openDirectories: this.#directories.size,
      nodesKnown: this.#nodes.size,
      requestsAnswered: this.#answered,
      pollersWaiting: this.#pollers.size,
    };
  }

  /**
   * Goes on where an earlier process was killed: the kernel is asked for the requests that that one had read and not answered. False: it cannot, and
   * these have got EIO (writes that had ended: what they ended with).
   */
  resume(): boolean {
    this.#pollers.wakeInherited();
    this.#resends.ask();
    if (this.#resends.arePossible) return true;
    this.#resends.answerTaken((header, errno) => this.#status(header, errno));
    this.#writes.answerInherited();
    return false;
  }

  /** Takes the first `length` bytes of the buffer as one request. Never throws; what is needed of the buffer later is copied. */
  handle(buffer: Buffer, length: number): void {
    const header = decodeHeader(buffer, length);
    if (header === undefined) return this.#log.warn({ length }, 'a FUSE request without a header: nobody to answer');
    if (expectsReply(header)) this.#resends.taken(header);
    try {
      this.#answer(header, decodeRequest(header, buffer, length));
    } catch (thrown) {
      if (thrown instanceof Malformed)
        this.#log.warn({ opcode: header.opcode }, `a malformed FUSE request, answered with EIO: ${thrown.message}`);
      else
        this.#log.error(
          { opcode: header.opcode, err: thrown },
          `a FUSE request failed unexpectedly: ${sentenceOf(thrown)}`,
        );
      if (expectsReply(header)) this.#send(header, this.#replies.status(header, EIO));
    }
  }

  #answer(header: Header, request: Request): void {
    switch (request.op) {
      case 'read':
        return this.#attempt(header, 'read', () => this.#read(header, request));
      case 'open':
        return this.#attempt(header, 'open', () => this.#open(header, request.flags));
      case 'release':
        return this.#attempt(header, 'release', () => this.#release(header, request));
      case 'getattr':
        return this.#attempt(header, 'stat', () => this.#entries.attributes(header));
      case 'lookup':
        return this.#attempt(header, 'stat', () => this.#entries.lookup(header, request.name));
      case 'write':
        return this.#writes.begin(header, request);
      case 'forget':
        for (const { id, lookups } of request.nodes) this.#nodes.forget(id, lookups);
        return;
      case 'opendir':
        return this.#attempt(header, 'list', () => {
          const low = this.#directories.open(header.nodeId, this.#nodes.at(header.nodeId));
          return this.#replies.opened(header, { low, high: 0 }, false);
        });
      case 'readdir':
      case 'readdirplus':
        return this.#attempt(header, 'list', () => this.#entries.list(header, request, request.op === 'readdirplus'));
      case 'releasedir':
        this.#directories.release(header.nodeId, request.low);
        return this.#status(header, 0);
      case 'truncate':
        return this.#attempt(header, 'truncate', () => {
          this.#tree.truncateAt(this.#nodes.at(header.nodeId));
          return this.#entries.attributes(header);
        });
      case 'poll':
        return this.#attempt(header, 'read', () => {
          const handle = this.#handleOf(header, request, 0);
          return this.#replies.polled(header, this.#poll(handle, request.kernelHandle, request.wake));
        });
      case 'interrupt':
        // Only writes can still be under way.
        return this.#writes.interrupt(header, request.of);
      case 'statfs':
        return this.#send(header, this.#replies.statfs(header));
      case 'setattr':
        return this.#attempt(header, 'change', () => {
          this.#tree.change(this.#nodes.at(header.nodeId), request.change);
          return this.#entries.attributes(header);
        });
      case 'mkdir':
        return this.#changes.make(header, request);
      case 'rmdir':
        return this.#changes.remove(header, request);
      case 'create':
        return this.#attempt(header, 'change', () => refuse('EACCES'));
      case 'change':
        return this.#attempt(header, 'change', () => refuse('EPERM'));
      case 'init':
        return this.#init(header, request);
      case 'destroy':
        return this.#status(header, 0);
      case 'not needed':
        return this.#status(header, ENOSYS);
      case 'unknown':
        if (!this.#toldOf.has(header.opcode))
          this.#log.warn({ opcode: header.opcode }, 'an unknown FUSE request, answered with ENOSYS; said once');
        this.#toldOf.add(header.opcode);
        return this.#status(header, ENOSYS);
    }
  }

  /** Sends what `work` returns, or the errno of what it throws. */
  #attempt(header: Header, operation: Operation, work: () => Uint8Array): void {
    let reply: Uint8Array;
    try {
      reply = work();
    } catch (thrown) {
      return this.#status(header, this.#tree.outcomes.failed(operation, this.#pathOf(header), thrown));
    }
    this.#tree.outcomes.succeeded(operation);
    this.#send(header, reply);
  }

  #init(header: Header, { major, minor, flags }: Extract<Request, { op: 'init' }>): void {
    if (
      major < protocol.FUSE_KERNEL_VERSION ||
      (major === protocol.FUSE_KERNEL_VERSION && minor < protocol.LEAST_MINOR_VERSION)
    ) {
      this.#status(header, EPROTO);
      return this.options.onTooOld?.(`${major}.${minor}`);
    }
    // A kernel of a later major version asks again, with ours.
    const spoken = Math.min(minor, protocol.FUSE_KERNEL_MINOR_VERSION);
    this.#send(header, this.#replies.init(header, spoken, flags & WANTED_FLAGS, MOST_WRITE_BYTES));
    if (major !== protocol.FUSE_KERNEL_VERSION) return;
    this.#resends.ask();
    this.options.onReady?.();
  }

  /** What the kernel remembers of a path may be of a memcg that is gone, whose place another has taken: ESTALE has it look the path up again. */
  #open(header: Header, flags: number): Uint8Array {
    const located = this.#nodes.at(header.nodeId);
    if ((flags & O_ACCMODE) !== O_RDONLY && !this.#tree.isCurrent(located)) throw stale();
    const low = this.#openedIfCurrent(located, () => this.#tree.openAt(located, flags, callerOf(header)));
    return this.#replies.opened(header, { low, high: this.#tree.textBytes(low) }, true);
  }

  #openedIfCurrent(located: Located, open: () => number): number {
    try {
      return open();
    } catch (failure) {
      throw this.#tree.isCurrent(located) ? failure : stale();
    }
  }

  #read(header: Header, request: Extract<Request, { op: 'read' }>): Uint8Array {
    const handle = this.#handleOf(header, request, request.flags);
    return this.#replies.data(header, this.#tree.read(handle, request.offset, request.size));
  }

  #release(header: Header, { low }: FileHandle): Uint8Array {
    this.#tree.release(low);
    this.#pollers.released(low);
    return this.#replies.status(header, 0);
  }

  /** The tree's handle. One that an earlier process gave out is opened again, as it was: its high half has the length of the text. */
  #handleOf(header: Header, { low, high }: FileHandle, flags: number): number {
    if (this.#continuity.incarnation > 0 && !this.#tree.isOpen(low))
      this.#tree.adopt(low, this.#nodes.at(header.nodeId), flags, high, callerOf(header));
    return low;
  }

  #poll(handle: number, kernelHandle: number, wake: boolean): number {
    const changed = this.#tree.poll(handle, wake ? () => this.#pollers.changed(handle) : undefined);
    if (wake) this.#pollers.waits(handle, kernelHandle);
    return changed ? pollEvents.changed : pollEvents.unchanged;
  }

  #pathOf({ nodeId }: Header): string {
    return this.#nodes.pathOf(nodeId);
  }

  #status(header: Header, errno: number): void {
    this.#send(header, this.#replies.status(header, errno));
  }

  #send(header: Header, reply: Uint8Array): void {
    this.#answered++;
    const refusal = this.options.send(reply);
    // ENOENT: nobody waits for the answer (any more).
    if (refusal !== undefined && refusal !== 'ENOENT')
      this.#log.error({ opcode: header.opcode, refusal }, 'the kernel did not take a FUSE reply');
  }
}

function expectsReply({ opcode }: Header): boolean {
  const { FUSE_FORGET, FUSE_BATCH_FORGET, FUSE_INTERRUPT } = protocol.opcode;
  return opcode !== FUSE_FORGET && opcode !== FUSE_BATCH_FORGET && opcode !== FUSE_INTERRUPT;
}

function stale(): ColdpgsError {
  return new ColdpgsError('MEMCG_GONE', 'ESTALE', 'The memcg was removed.');
}

function refuse(errno: 'EPERM' | 'EACCES'): never {
  throw shapeIsOurs(errno);
}
