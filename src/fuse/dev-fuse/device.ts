import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { ColdpgsError, systemErrno } from '../../errors.js';

/** Room for one request: the longest is a write of MOST_WRITE_BYTES, and names have at most 1 KiB. */
const READ_BUFFER_BYTES = 64 * 1024;

/** Requests answered in one turn of the event loop, before everything else has its turn. */
const REQUESTS_A_TURN = 64;

/** Turns of the event loop with one request each after no further one was found. */
const TURNS_AFTER_NOTHING = 64;

/** Node's handle of a pipe: the one kind that it reads from any descriptor that can be polled. It has no public name. */
interface Pipe {
  open(descriptor: number): number | undefined;
}

export interface DeviceListener {
  /** One request: the first `length` bytes of a buffer that is used again for the next one. */
  readonly onRequest: (buffer: Buffer, length: number) => void;
  /** The mount has gone, or reading failed. Nothing more will come. */
  readonly onClosed: (reason: Error | undefined) => void;
}

/**
 * A descriptor of /dev/fuse. Requests come through the event loop: it polls the descriptor, reads one request and hands it over. That is one
 * thread less than a read in libuv's pool, and none that could block the end of the process.
 */
export class FuseDevice {
  #socket: Socket | undefined;
  #closed = false;
  #turnsWithoutReadingOn = 0;

  private constructor(
    /** To be handed to the mount command and to the supervisor. */
    readonly descriptor: number,
  ) {}

  /** Throws what open(2) does. */
  static open(): FuseDevice {
    return new FuseDevice(openSync('/dev/fuse', constants.O_RDWR | constants.O_NONBLOCK));
  }

  /** One that somebody else opened (O_NONBLOCK) and handed to this process. */
  static inherited(descriptor: number): FuseDevice {
    return new FuseDevice(descriptor);
  }

  /** Starts to hand requests over. Throws MOUNT_FAILED where this Node cannot read such a descriptor through its event loop. */
  listen({ onRequest, onClosed }: DeviceListener): void {
    const handle = newPipe();
    const refused = handle.open(this.descriptor);
    if (refused !== undefined && refused !== 0) throw cannotRead(refused);
    const buffer = Buffer.alloc(READ_BUFFER_BYTES);
    const options = {
      handle,
      onread: {
        buffer,
        callback: (length: number) => {
          onRequest(buffer, length);
          this.#readOn(buffer, onRequest);
          return true;
        },
      },
    };
    const socket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
    let reason: Error | undefined;
    socket.on('error', (error) => (reason = error));
    socket.on('close', () => {
      if (this.#closed) return;
      this.#closed = true;
      onClosed(reason);
    });
    socket.resume();
    this.#socket = socket;
  }

  /**
   * Sends a reply or a notification. Returns the errno name of a refusal: ENOENT for a reply that nobody waits for any more, EINVAL for what this
   * kernel does not know; undefined when it was taken, or when there is nobody left to take it.
   */
  send(bytes: Uint8Array): string | undefined {
    if (this.#closed) return undefined;
    try {
      writeSync(this.descriptor, bytes);
      return undefined;
    } catch (refusal) {
      return systemErrno(refusal) ?? 'EIO';
    }
  }

  /**
   * Reads what came while the last request was answered: a client that has its answer often asks the next thing at once. It saves a turn of the event
   * loop, an eighth of a pread; finding nothing costs more than that, so then the next requests come through the event loop only.
   */
  #readOn(buffer: Buffer, onRequest: DeviceListener['onRequest']): void {
    if (this.#turnsWithoutReadingOn > 0) {
      this.#turnsWithoutReadingOn--;
      return;
    }
    for (let request = 0; request < REQUESTS_A_TURN && !this.#closed; request++) {
      const length = this.#readNow(buffer);
      if (length === undefined) {
        this.#turnsWithoutReadingOn = TURNS_AFTER_NOTHING;
        return;
      }
      onRequest(buffer, length);
    }
  }

  /** Undefined when nothing is there, or the mount has gone, which the event loop finds as well. */
  #readNow(buffer: Buffer): number | undefined {
    try {
      return readSync(this.descriptor, buffer);
    } catch {
      return undefined;
    }
  }

  /** Hands over no more requests: they wait in the kernel, for whoever reads next. */
  pause(): void {
    this.#socket?.pause();
  }

  /** Closes the descriptor. The connection lives on where another process holds it, too. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#socket === undefined) closeSync(this.descriptor);
    else this.#socket.destroy();
  }
}

/** A socket that is being connected has such a handle; where it connects to does not matter. */
function newPipe(): Pipe {
  const socket = connect({ path: '\0coldpgs-nobody-listens-here' });
  socket.on('error', () => undefined);
  const handle = (socket as unknown as { _handle?: object })._handle;
  const make = handle?.constructor as (new (type: number) => Pipe) | undefined;
  socket.destroy();
  if (make?.name !== 'Pipe') throw cannotRead();
  return new make(0);
}

function cannotRead(errno?: number): ColdpgsError {
  const sentence = `Node ${process.version} cannot read /dev/fuse through its event loop; --transport fuse-native does without.`;
  return new ColdpgsError('MOUNT_FAILED', 'ENODEV', sentence, errno === undefined ? undefined : `errno ${-errno}`);
}
