import { ColdpgsError } from '../../errors.js';
import { run } from '../command.js';

/** Milliseconds for the mount command. */
const PATIENCE = 5_000;

/**
 * rootmode: the root is a directory. allow_other, default_permissions: everybody may come in, and the kernel checks the permission bits. subtype
 * shows the mount as fuse.coldpgs. The descriptor of /dev/fuse is number 3 in the mount command.
 */
const MOUNT_OPTIONS = [
  'fd=3',
  'rootmode=40000',
  'user_id=0',
  'group_id=0',
  'allow_other',
  'default_permissions',
  'nosuid',
  'nodev',
  'subtype=coldpgs',
];

/** Mounts the connection of an opened /dev/fuse at `mountPoint` with util-linux's mount, without any mount.fuse (-i). Throws MOUNT_FAILED, NOT_ROOT. */
export async function mountDevice(descriptor: number, mountPoint: string): Promise<void> {
  const args = ['-i', '-t', 'fuse', '-o', MOUNT_OPTIONS.join(','), 'coldpgs', mountPoint];
  const { status, stderr } = await run('mount', args, PATIENCE, descriptor);
  if (status === 0) return;
  if (process.geteuid?.() !== 0)
    throw new ColdpgsError('NOT_ROOT', 'EPERM', `${mountPoint} could not be mounted: run coldpgs as root.`);
  const reason = stderr.trim().split('\n')[0] ?? '';
  throw new ColdpgsError(
    'MOUNT_FAILED',
    'EIO',
    `${mountPoint} could not be mounted${reason && `: ${reason}`}. In a container: is CAP_SYS_ADMIN given? Is mount that of util-linux?`,
  );
}
