import { closeSync } from 'node:fs';
import type { default as Koffi } from 'koffi';
import { ColdpgsError, sentenceOf } from '../errors.js';
import type { Log } from '../log.js';
import { storedNames } from './descriptor-store.js';

/** From the headers of Linux, the same on x86-64 and arm64. */
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;
/** struct cmsghdr: length, level, type. */
const CONTROL_HEADER_BYTES = 16;

/** Sends one message of sd_notify(3), with a descriptor if it has one. Throws where it cannot be sent. */
export type Notify = (message: string, descriptor?: number) => void;

/** struct msghdr of sendmsg(2) and recvmsg(2). */
export function messageType(koffi: typeof Koffi) {
  const part = koffi.struct({ base: 'void *', bytes: 'size_t' });
  return koffi.struct({
    name: 'void *',
    nameBytes: 'uint32_t',
    parts: koffi.pointer(part),
    partCount: 'size_t',
    control: 'void *',
    controlBytes: 'size_t',
    flags: 'int',
  });
}

/** The way to the systemd that runs this process as a service; undefined where none does. Throws NO_DESCRIPTOR_STORE without the koffi package. */
export async function systemdNotify(socketPath = process.env['NOTIFY_SOCKET']): Promise<Notify | undefined> {
  if (!socketPath) return undefined;
  const { default: koffi } = await import('koffi').catch((failure: unknown) => {
    const sentence = 'The descriptor store of systemd needs the npm package koffi, which is not installed.';
    throw new ColdpgsError('NO_DESCRIPTOR_STORE', 'EOPNOTSUPP', sentence, failure);
  });
  const libc = koffi.load(null);
  const socket = libc.func('socket', 'int', ['int', 'int', 'int']);
  const sendmsg = libc.func('sendmsg', 'long', ['int', koffi.pointer(messageType(koffi)), 'int']);
  const name = addressOf(socketPath);
  return (message, descriptor) => {
    const bytes = Buffer.from(message);
    const control = descriptor === undefined ? null : rightsOf(descriptor);
    const from = Number(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (from < 0) throw new Error(`socket: errno ${koffi.errno()}`);
    try {
      const sent: unknown = sendmsg(
        from,
        {
          name,
          nameBytes: name.length,
          parts: [{ base: bytes, bytes: bytes.length }],
          partCount: 1,
          control,
          controlBytes: control?.length ?? 0,
          flags: 0,
        },
        MSG_NOSIGNAL,
      );
      if (Number(sent) < 0) throw new Error(`sendmsg: errno ${koffi.errno()}`);
    } finally {
      closeSync(from);
    }
  };
}

/**
 * Has systemd keep what a mount lives by, so that it survives the death of supervisor and daemon together. Without a systemd that would, or where it
 * cannot be asked, that is logged and the mount lives as long as the supervisor does.
 */
export async function storeMount(device: number, checkpoint: number, log: Log): Promise<void> {
  try {
    const notify = await systemdNotify();
    if (!notify) return;
    for (const name of Object.values(storedNames)) notify(`FDSTOREREMOVE=1\nFDNAME=${name}`);
    notify(`FDSTORE=1\nFDNAME=${storedNames.device}`, device);
    notify(`FDSTORE=1\nFDNAME=${storedNames.checkpoint}`, checkpoint);
    log.info(
      {},
      'systemd was asked to keep the mount (FileDescriptorStoreMax=2): it survives the end of all processes',
    );
  } catch (failure) {
    log.warn({ failure: sentenceOf(failure) }, 'systemd cannot be asked to keep the mount');
  }
}

/** The mount has gone: nothing of it is to be kept. */
export async function forgetMount(log: Log): Promise<void> {
  try {
    const notify = await systemdNotify();
    for (const name of Object.values(storedNames)) notify?.(`FDSTOREREMOVE=1\nFDNAME=${name}`);
  } catch (failure) {
    log.debug({ failure: sentenceOf(failure) }, 'systemd cannot be told that the mount has gone');
  }
}

/** struct sockaddr_un of a path, or of an abstract name, which is written with @ in front. */
function addressOf(socketPath: string): Buffer {
  const path = Buffer.from(socketPath.replace(/^@/, '\0'));
  const address = Buffer.alloc(2 + path.length + (path[0] === 0 ? 0 : 1));
  address.writeUInt16LE(AF_UNIX);
  path.copy(address, 2);
  return address;
}

/** A control message that hands over a descriptor. */
function rightsOf(descriptor: number): Buffer {
  const control = Buffer.alloc(CONTROL_HEADER_BYTES + 8);
  control.writeBigUInt64LE(BigInt(CONTROL_HEADER_BYTES + 4), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  control.writeInt32LE(descriptor, CONTROL_HEADER_BYTES);
  return control;
}
