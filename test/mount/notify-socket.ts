import { closeSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';
import type { Test } from 'tap';
import { messageType } from '../../src/daemon/systemd.js';
import { temporaryFolder } from './fixture.js';

const AF_UNIX = 1;
const DATAGRAMS = 2 | 0o2000000 | 0o4000; // SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK
const MSG_CMSG_CLOEXEC = 0x40000000;

interface Kept {
  readonly name: string;
  readonly descriptor: number;
}

/** What systemd is to a service: a socket for its messages, and a store for descriptors. */
export class NotifySocket {
  readonly #kept: Kept[] = [];
  readonly #libc = koffi.load(null);
  readonly #socket: number;
  readonly #receive: (socket: number, message: object, flags: number) => unknown;

  static async open(t: Test): Promise<NotifySocket> {
    const socket = new NotifySocket(join(await temporaryFolder(t), 'notify'));
    t.teardown(() => socket.#close());
    return socket;
  }

  private constructor(readonly path: string) {
    this.#receive = this.#libc.func('recvmsg', 'long', ['int', koffi.inout(koffi.pointer(messageType(koffi))), 'int']);
    this.#socket = Number(this.#libc.func('socket', 'int', ['int', 'int', 'int'])(AF_UNIX, DATAGRAMS, 0));
    const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), Buffer.from(`${path}\0`)]);
    if (this.#libc.func('bind', 'int', ['int', 'void *', 'uint32_t'])(this.#socket, address, address.length) !== 0)
      throw new Error(`bind: errno ${koffi.errno()}`);
  }

  /** What is in the store now, in the order in which it came. */
  kept(): readonly Kept[] {
    while (this.#takeMessage());
    return this.#kept;
  }

  /** False when there is none. */
  #takeMessage(): boolean {
    const bytes = Buffer.alloc(4096);
    const control = Buffer.alloc(64);
    const message = {
      name: null,
      nameBytes: 0,
      parts: [{ base: bytes, bytes: bytes.length }],
      partCount: 1,
      control,
      controlBytes: control.length,
      flags: 0,
    };
    const length = Number(this.#receive(this.#socket, message, MSG_CMSG_CLOEXEC));
    if (length < 0) return false;
    const lines = bytes.toString('utf8', 0, length).split('\n');
    const name = lines.find((line) => line.startsWith('FDNAME='))?.slice(7) ?? '';
    if (lines.includes('FDSTORE=1')) this.#kept.push({ name, descriptor: control.readInt32LE(16) });
    if (lines.includes('FDSTOREREMOVE=1')) this.#remove(name);
    return true;
  }

  #remove(name: string): void {
    for (const { descriptor } of this.#kept.filter((one) => one.name === name)) closeSync(descriptor);
    this.#kept.splice(0, this.#kept.length, ...this.#kept.filter((one) => one.name !== name));
  }

  #close(): void {
    for (const { descriptor } of [...this.#kept, { descriptor: this.#socket }]) closeSync(descriptor);
  }
}
