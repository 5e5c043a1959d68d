import { constants } from 'node:fs';
import { systemErrno } from '../../errors.js';
import type { Capabilities } from '../capabilities.js';
import { isAtLeast, type KernelRelease } from '../kernel-release.js';
import { parseNodeList } from '../node-list.js';
import type { SlabInterface } from '../slab.js';
import { parseSwaps } from '../swaps.js';
import { parseZswapState } from '../zswap.js';
import { openFile, readText, readTextIfThere } from './kernel-file.js';
import type { MemcgFiles } from './memcg-files.js';
import type { MemoryHierarchy } from './memory-hierarchy.js';
import { cgroupFileV2, type KernelPaths } from './paths.js';

/** Bit of lru_gen/enabled without which the kernel keeps no generations. */
const LRU_GEN_CORE = 1;

/** Looks at what this machine can do. Nothing is changed, and no command is given. */
export async function findCapabilities(
  paths: KernelPaths,
  release: KernelRelease,
  hierarchy: MemoryHierarchy,
  files: MemcgFiles,
  slab: Pick<SlabInterface, 'obstacle'>,
): Promise<Capabilities> {
  const devices = parseSwaps((await readTextIfThere(paths.swaps)) ?? '');
  return {
    kernelRelease: release.text,
    cgroupVersion: hierarchy.version,
    cgroupRoot: hierarchy.mountPoint,
    lruGen: await findLruGen(paths),
    anonOnlyEviction: hasAnonOnlyEviction(release),
    memoryReclaim: files.find('/', cgroupFileV2.reclaim) !== undefined,
    slabByMemcg: slab.obstacle() === undefined,
    swapBytes: devices.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    zswap: parseZswapState(await readTextIfThere(paths.zswapEnabled)),
    psi: await isReadable(paths.memoryPressure),
    nodes: parseNodeList((await readTextIfThere(paths.nodesWithMemory)) ?? '0'),
  };
}

/** Whether lru_gen knows the swappiness `max`. */
export function hasAnonOnlyEviction(release: KernelRelease): boolean {
  return isAtLeast(release, 6, 16);
}

async function findLruGen(paths: KernelPaths): Promise<Capabilities['lruGen']> {
  const enabled = await readTextIfThere(paths.lruGenEnabled);
  if (enabled === undefined) return 'absent';
  if ((Number(enabled) & LRU_GEN_CORE) === 0) return 'off';
  try {
    const handle = await openFile(paths.lruGen, constants.O_RDWR);
    await handle.close();
    return 'on';
  } catch (error) {
    return systemErrno(error) === 'ENOENT' ? 'no-debugfs' : 'locked';
  }
}

async function isReadable(file: string): Promise<boolean> {
  return readText(file).then(
    () => true,
    () => false,
  );
}
