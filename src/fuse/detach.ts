import { ColdpgsError } from '../errors.js';
import { run } from './command.js';
import { type Mounted, mountedAt, mounts } from './mountinfo.js';

/** Milliseconds for one command. */
const PATIENCE = 2_000;

/** umount needs root; fusermount lets others take away what they mounted themselves. */
const unmounters = [
  { command: 'umount', now: [], lazily: ['-l'] },
  { command: 'fusermount3', now: ['-u'], lazily: ['-uz'] },
  { command: 'fusermount', now: ['-u'], lazily: ['-uz'] },
];

/**
 * Takes a mount of ours out of the file tree; resolves when mountinfo shows it no more. `lazily` is for what is dead, and what `now` falls back
 * to when files are open: these live on until they are closed. Throws MOUNT_FAILED.
 */
export async function detach(mount: Mounted, how: 'now' | 'lazily'): Promise<void> {
  const { mountPoint } = mount;
  const failures: string[] = [];
  for (const { command, now, lazily } of unmounters) {
    for (const flags of how === 'now' ? [now, lazily] : [lazily]) {
      if (!(await isMounted(mount))) return;
      if ((await mountedAt(mountPoint))?.id !== mount.id)
        throw failure(mountPoint, 'something else is mounted over it');
      const { status, stderr } = await run(command, [...flags, mountPoint], PATIENCE);
      if (status !== 0) failures.push(stderr.trim());
    }
  }
  if (await isMounted(mount)) throw failure(mountPoint, failures.join('; '));
}

/** Whether this very mount is still there. */
export async function isMounted(mount: Mounted): Promise<boolean> {
  return (await mounts()).some(({ id, mountPoint }) => id === mount.id && mountPoint === mount.mountPoint);
}

function failure(mountPoint: string, reason: string): ColdpgsError {
  const sentence = `${mountPoint} could not be unmounted: ${reason}. Try: umount -l '${mountPoint}'`;
  return new ColdpgsError('MOUNT_FAILED', 'EBUSY', sentence);
}
