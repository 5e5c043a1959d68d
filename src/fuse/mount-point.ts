import { mkdir, readdir, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ColdpgsError, type ErrnoName, systemErrno } from '../errors.js';
import type { Log } from '../log.js';
import { detach } from './detach.js';
import { mountedAt, OUR_TYPE } from './mountinfo.js';
import { probe } from './probe.js';

/** libfuse 2 and fuse-native keep the path in 1024 bytes. */
const LONGEST_PATH = 1023;

/** As many as the kernel follows. */
const MOST_LINKS = 40;

/** What may lie in an empty mount point: git keeps no empty folders. */
const PLACEHOLDER = '.gitkeep';

/**
 * Makes sure that a coldpgs can be mounted on `path`, and returns the path canonical. A dead mount of an earlier coldpgs is detached first;
 * no other mount is touched. `create` makes a missing folder and those above it.
 * Throws BAD_MOUNT_POINT (missing, no directory, not empty) and MOUNT_POINT_IN_USE (another file system, or a living coldpgs).
 */
export async function prepareMountPoint(path: string, create: boolean, log: Log): Promise<string> {
  const asGiven = resolve(path);
  try {
    if (create) await mkdir(dirname(asGiven), { recursive: true });
    const mountPoint = await canonical(asGiven);
    await clearOfMounts(mountPoint, log);
    if (create) await mkdir(mountPoint, { recursive: true });
    await requireFit(mountPoint);
    return mountPoint;
  } catch (error) {
    throw error instanceof ColdpgsError ? error : unusable(asGiven, error);
  }
}

/** The path without symbolic links. Never touches what is mounted on it: on a dead mount even stat fails, on one that hangs it never returns. */
async function canonical(path: string, links = 0): Promise<string> {
  if (links > MOST_LINKS) throw bad('EINVAL', `${path} leads through too many symbolic links.`);
  const folder = await realpath(dirname(path));
  const here = join(folder, basename(path));
  if ((await mountedAt(here)) !== undefined) return here;
  const target = await readlink(here).catch(() => undefined);
  return target === undefined ? here : canonical(resolve(folder, target), links + 1);
}

async function clearOfMounts(path: string, log: Log): Promise<void> {
  for (let mount = await mountedAt(path); mount !== undefined; mount = await mountedAt(path)) {
    if (mount.type !== OUR_TYPE)
      throw inUse(`${path} is in use: ${mount.source} (${mount.type}) is mounted there. Choose another mount point.`);
    switch (await probe(path)) {
      case 'alive':
        throw inUse(
          `${path} is in use: a running coldpgs serves it. Stop that one first, or choose another mount point.`,
        );
      case 'hanging':
        throw inUse(
          `${path} is in use: a coldpgs is mounted there and does not answer. End that process, or detach it: umount -l '${path}'`,
        );
      case 'dead':
        log.warn({ mountPoint: path }, `detaching the dead mount that an earlier coldpgs left at ${path}`);
        await detach(mount, 'lazily');
    }
  }
}

async function requireFit(path: string): Promise<void> {
  const hidden = (await readdir(path)).filter((name) => name !== PLACEHOLDER);
  if (hidden.length > 0)
    throw bad('EBUSY', `The mount point ${path} is not empty: a mount would hide ${hidden.slice(0, 3).join(', ')}.`);
  if (Buffer.byteLength(path) > LONGEST_PATH)
    throw bad('EINVAL', `${path} is longer than the ${LONGEST_PATH} bytes a mount point may have.`);
}

function unusable(path: string, error: unknown): ColdpgsError {
  switch (systemErrno(error) ?? 'unknown') {
    case 'ENOENT':
      return bad('ENOENT', `The mount point ${path} does not exist. Make it: mkdir -p '${path}'`, error);
    case 'EEXIST':
    case 'ENOTDIR':
      return bad('ENOTDIR', `The mount point ${path} is not a directory.`, error);
    case 'ENOTCONN':
      return bad(
        'ENODEV',
        `The way to ${path} leads through a dead mount: find it with mount, detach it with umount -l.`,
        error,
      );
    default:
      return bad('EIO', `The mount point ${path} cannot be used.`, error);
  }
}

function bad(errno: ErrnoName, sentence: string, cause?: unknown): ColdpgsError {
  return new ColdpgsError('BAD_MOUNT_POINT', errno, sentence, cause);
}

function inUse(sentence: string): ColdpgsError {
  return new ColdpgsError('MOUNT_POINT_IN_USE', 'EBUSY', sentence);
}
