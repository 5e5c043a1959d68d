import { open } from 'node:fs/promises';
import type Fuse from 'fuse-native';
import { ColdpgsError, sentenceOf, systemErrno } from '../errors.js';

/** Throws NO_FUSE_DEVICE or NOT_ROOT when this process cannot open /dev/fuse. */
export async function requireFuseDevice(): Promise<void> {
  try {
    const device = await open('/dev/fuse', 'r+');
    await device.close();
  } catch (error) {
    if (systemErrno(error) === 'EACCES' || systemErrno(error) === 'EPERM')
      throw new ColdpgsError(
        'NOT_ROOT',
        'EPERM',
        'This process may not open /dev/fuse: run coldpgs as root; in a container, give it the device /dev/fuse and CAP_SYS_ADMIN.',
        error,
      );
    throw new ColdpgsError(
      'NO_FUSE_DEVICE',
      'ENODEV',
      'This kernel offers no FUSE: load it with `modprobe fuse`; in a container, give it the device /dev/fuse.',
      error,
    );
  }
}

/** The fuse-native package, loaded only now so that everything else works without libfuse. Throws NO_LIBFUSE, or MOUNT_FAILED where it has no binary. */
export async function loadFuseNative(): Promise<typeof Fuse> {
  try {
    return (await import('fuse-native')).default;
  } catch (error) {
    if (sentenceOf(error).includes('libfuse.so.2'))
      throw new ColdpgsError(
        'NO_LIBFUSE',
        'ENODEV',
        'libfuse 2 is missing: apt-get install libfuse2 (Ubuntu 24.04: libfuse2t64), or dnf install fuse-libs.',
        error,
      );
    throw new ColdpgsError(
      'MOUNT_FAILED',
      'ENODEV',
      `The package fuse-native cannot be loaded on ${process.platform}-${process.arch}.`,
      error,
    );
  }
}
