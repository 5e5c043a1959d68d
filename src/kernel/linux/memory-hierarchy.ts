import { ColdpgsError } from '../../errors.js';
import { parseMountinfo, type Mount } from '../mountinfo.js';
import { cgroupFile } from './paths.js';
import { readTextSync } from './kernel-file.js';

/** Where the cgroups of the memory controller are. */
export interface MemoryHierarchy {
  readonly version: 1 | 2;
  readonly mountPoint: string;
  /** The cgroup mounted there: "/" but in a container that sees a part only. The kernel's own texts name cgroups from the top. */
  readonly root: string;
}

/**
 * Finds the mounted hierarchy that has the memory controller: cgroup v1 where that holds it (then a v2 mount beside it has not), else v2.
 * Throws NO_MEMORY_CONTROLLER.
 */
export function findMemoryHierarchy(mountinfoFile: string): MemoryHierarchy {
  const mounts = parseMountinfo(readTextSync(mountinfoFile));
  const v1 = widest(
    mounts.filter(({ fileSystem, superOptions }) => fileSystem === 'cgroup' && superOptions.includes('memory')),
  );
  if (v1 !== undefined) return hierarchyAt(v1, 1);
  const v2 = widest(mounts.filter(({ fileSystem, mountPoint }) => fileSystem === 'cgroup2' && hasMemory(mountPoint)));
  if (v2 !== undefined) return hierarchyAt(v2, 2);
  throw new ColdpgsError(
    'NO_MEMORY_CONTROLLER',
    'ENODEV',
    'No mounted cgroup hierarchy has the memory controller: mount cgroup2 at /sys/fs/cgroup, and boot without cgroup_disable=memory.',
  );
}

/** The path of a cgroup from the top, as the kernel names it, made relative to the mount; undefined outside of it. */
export function pathInMount(hierarchy: MemoryHierarchy, kernelPath: string): string | undefined {
  if (hierarchy.root === '/') return kernelPath;
  if (kernelPath === hierarchy.root) return '/';
  return kernelPath.startsWith(`${hierarchy.root}/`) ? kernelPath.slice(hierarchy.root.length) : undefined;
}

/** The path of a cgroup of the mount, as the kernel names it. */
export function pathFromTop({ root }: MemoryHierarchy, path: string): string {
  if (root === '/') return path;
  return path === '/' ? root : `${root}${path}`;
}

function widest(mounts: readonly Mount[]): Mount | undefined {
  return mounts.find(({ root }) => root === '/') ?? mounts[0];
}

function hierarchyAt({ mountPoint, root }: Mount, version: 1 | 2): MemoryHierarchy {
  // Inside a cgroup namespace a mount made outside of it shows its root as "/..": it has all there is.
  return { version, mountPoint, root: root.startsWith('/..') ? '/' : root };
}

function hasMemory(mountPoint: string): boolean {
  try {
    return readTextSync(`${mountPoint}/${cgroupFile.controllers}`).trim().split(' ').includes('memory');
  } catch {
    return false;
  }
}
