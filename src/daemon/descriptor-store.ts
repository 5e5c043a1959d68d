import { readSync, writeSync } from 'node:fs';

/** What of a mount systemd keeps for the service (FileDescriptorStoreMax=), by name: /dev/fuse, and the checkpoint. */
export const storedNames = { device: 'coldpgs-device', checkpoint: 'coldpgs-checkpoint' } as const;

/** What a supervisor goes on with whose predecessor was killed together with its daemon. */
export interface StoredMount {
  readonly device: number;
  readonly checkpoint: number;
  readonly mountPoint: string;
  readonly incarnation: number;
}

/** First descriptor that systemd hands over (sd_listen_fds(3)). */
const FIRST_DESCRIPTOR = 3;

/** Where in the checkpoint file the note of the mount stands: between its header and its first text (checkpoint.ts). */
const NOTE = { at: 64, bytes: 4032 } as const;

/** The mount that systemd kept; undefined when there is none, or what it kept is not whole. */
export function storedMount(environment = process.env, pid = process.pid): StoredMount | undefined {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = '' } = environment;
  if (Number(LISTEN_PID) !== pid) return undefined;
  const names = LISTEN_FDNAMES.split(':').slice(0, Number(LISTEN_FDS));
  const [device, checkpoint] = [storedNames.device, storedNames.checkpoint].map((name) => names.indexOf(name));
  if (device === undefined || checkpoint === undefined || device < 0 || checkpoint < 0) return undefined;
  const note = readNote(FIRST_DESCRIPTOR + checkpoint);
  return note && { device: FIRST_DESCRIPTOR + device, checkpoint: FIRST_DESCRIPTOR + checkpoint, ...note };
}

/** Notes in the checkpoint file which mount it belongs to, and how many daemons there were; nothing where the path does not fit. */
export function noteMount(checkpoint: number, mountPoint: string, incarnation: number): void {
  const text = Buffer.from(`${mountPoint} ${incarnation}\n`);
  if (mountPoint.includes('\n') || text.length > NOTE.bytes) return;
  writeSync(checkpoint, text, 0, text.length, NOTE.at);
}

function readNote(checkpoint: number): Pick<StoredMount, 'mountPoint' | 'incarnation'> | undefined {
  const buffer = Buffer.alloc(NOTE.bytes);
  const length = readSync(checkpoint, buffer, 0, buffer.length, NOTE.at);
  const [line = ''] = buffer.toString('utf8', 0, length).split('\n', 1);
  const [, mountPoint, incarnation] = /^(\/.*) (\d+)$/.exec(line) ?? [];
  return mountPoint === undefined ? undefined : { mountPoint, incarnation: Number(incarnation) };
}
