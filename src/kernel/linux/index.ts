/** The real kernel, from /proc, /sys, debugfs and the cgroup file system. */
import type { Kernel } from '../kernel.js';
import { parseKernelRelease } from '../kernel-release.js';
import { parseSwaps } from '../swaps.js';
import { fromText } from '../text.js';
import { LinuxCgroupFiles } from './cgroup-files.js';
import { LinuxDamon } from './damon.js';
import { LinuxIdlePages } from './idle-pages.js';
import { LinuxPageFrames } from './page-frames.js';
import { LinuxPageOut } from './page-out.js';
import { findCapabilities, hasAnonOnlyEviction } from './capabilities.js';
import { readQuickPieces, readText, readTextSync, writeText } from './kernel-file.js';
import { LinuxCompaction } from './compaction.js';
import { LinuxLruGen } from './lru-gen.js';
import { MemcgFiles } from './memcg-files.js';
import { LinuxMemcgs } from './memcgs.js';
import { LinuxMemoryReclaim } from './memory-reclaim.js';
import { MemoryV1, MemoryV2 } from './memory.js';
import { findMemoryHierarchy, pathFromTop, pathInMount } from './memory-hierarchy.js';
import { LinuxMlock } from './mlock.js';
import { readPageBytes } from './page-size.js';
import { kernelPaths, type KernelRoots } from './paths.js';
import { findPressure } from './psi.js';
import { LinuxProcesses } from './processes.js';
import { LinuxSettings } from './settings.js';
import { LinuxSlab } from './slab.js';
import { LinuxZswap } from './zswap.js';

/**
 * The kernel of this machine. `roots` puts fixture trees in the place of its file systems; the cgroup mount is the one that
 * procRoot/self/mountinfo names. Opens nothing for long and changes nothing. Throws NO_MEMORY_CONTROLLER.
 */
export function createLinuxKernel(roots: Partial<KernelRoots> = {}): Kernel {
  const procRoot = fromText(roots.procRoot ?? '/proc');
  const sysRoot = fromText(roots.sysRoot ?? '/sys');
  const debugfsRoot = roots.debugfsRoot === undefined ? `${sysRoot}/kernel/debug` : fromText(roots.debugfsRoot);
  const paths = kernelPaths({ procRoot, sysRoot, debugfsRoot });
  const pageBytes = readPageBytes(paths.auxiliaryVector);
  const release = parseKernelRelease(readTextSync(paths.release));
  const hierarchy = findMemoryHierarchy(paths.mountinfo);
  const files = new MemcgFiles(hierarchy);
  const memcgs = new LinuxMemcgs(hierarchy, paths.ownCgroup);
  const lruGenFile = {
    pieces: () => readQuickPieces(paths.lruGen),
    write: (commands: string) => writeText(paths.lruGen, commands),
  };
  const memory = hierarchy.version === 2 ? new MemoryV2(files, paths) : new MemoryV1(files, paths);
  const slab = new LinuxSlab(paths, memory, hierarchy.version);
  return {
    kind: 'linux',
    pageBytes,
    capabilities: () => findCapabilities(paths, release, hierarchy, files, slab),
    memcgs,
    lruGen: new LinuxLruGen(lruGenFile, memcgs, {
      anonOnlyEviction: hasAnonOnlyEviction(release),
      pathOf: (kernelPath) => pathInMount(hierarchy, kernelPath),
    }),
    memory,
    memoryReclaim: new LinuxMemoryReclaim(files, release),
    swap: { devices: async () => parseSwaps(await readText(paths.swaps)) },
    zswap: new LinuxZswap(paths),
    slab,
    processes: new LinuxProcesses(paths, pageBytes),
    mlock: new LinuxMlock(paths, pageBytes),
    settings: new LinuxSettings(files),
    pressure: findPressure(paths, hierarchy),
    compaction: new LinuxCompaction(paths),
    pageFrames: new LinuxPageFrames(paths),
    idlePages: new LinuxIdlePages(paths),
    pageOut: new LinuxPageOut(paths, pageBytes),
    damon: new LinuxDamon(paths, release, (path) => pathFromTop(hierarchy, path)),
    cgroupFiles: new LinuxCgroupFiles(hierarchy.mountPoint, hierarchy.version),
  };
}
