import { existsSync } from 'node:fs';
import type { PressureInterface } from '../kernel.js';
import { parseMountinfo } from '../mountinfo.js';
import { parseSomeTotal, type PressureTotals } from '../psi.js';
import { pathBytes, readText, readTextSync } from './kernel-file.js';
import { directoryOf } from './memcg-path.js';
import type { MemoryHierarchy } from './memory-hierarchy.js';
import { cgroupFileV2, type KernelPaths } from './paths.js';
import { isGone, kernelRefused, memcgGone } from './refusal.js';

/** Where a path's two pressure files are. */
type FilesOf = (path: string) => {
  readonly memory: string;
  readonly io: string;
  /** That of the memcg; undefined where the files are those of the machine. */
  readonly directory?: string;
};

/**
 * Pressure by memcg on cgroup v2. On v1 the memory hierarchy has none (mainline): where a unified hierarchy is mounted beside it, a cgroup of the same
 * path there stands in; else the machine's own pressure does for all.
 */
export function findPressure(paths: KernelPaths, hierarchy: MemoryHierarchy): PressureInterface {
  const mountPoint = hierarchy.version === 2 ? hierarchy.mountPoint : unifiedBeside(paths.mountinfo);
  const ofMachine: FilesOf = () => ({ memory: paths.memoryPressure, io: paths.ioPressure });
  if (mountPoint === undefined) return new LinuxPressure('machine', ofMachine);
  return new LinuxPressure('memcg', (path) => {
    const directory = directoryOf({ ...hierarchy, mountPoint }, path);
    const memory = `${directory}/${cgroupFileV2.memoryPressure}`;
    // A root without them is the machine; so is a cgroup of v1 that has none of its path beside it.
    if ((path === '/' || hierarchy.version === 1) && !existsSync(pathBytes(memory))) return ofMachine(path);
    return { memory, io: `${directory}/${cgroupFileV2.ioPressure}`, directory };
  });
}

class LinuxPressure implements PressureInterface {
  constructor(
    readonly scope: 'memcg' | 'machine',
    private readonly filesOf: FilesOf,
  ) {}

  async totals(path: string): Promise<PressureTotals> {
    const { memory, io, directory } = this.filesOf(path);
    try {
      const totals = { memoryUs: await someTotal(memory), ioUs: await someTotal(io) };
      return directory === undefined ? { ...totals, ofMachine: true } : totals;
    } catch (error) {
      if (isGone(error) && directory !== undefined && !existsSync(pathBytes(directory))) throw memcgGone(path, error);
      throw kernelRefused(`Cannot read the pressure in ${memory}.`, error);
    }
  }
}

async function someTotal(file: string): Promise<number> {
  const total = parseSomeTotal(await readText(file));
  if (total === undefined) throw new Error(`${file} has no line "some".`);
  return total;
}

function unifiedBeside(mountinfoFile: string): string | undefined {
  const mounts = parseMountinfo(readTextSync(mountinfoFile));
  const unified = mounts.filter(({ fileSystem }) => fileSystem === 'cgroup2');
  return unified.find(({ root }) => root === '/')?.mountPoint ?? unified[0]?.mountPoint;
}
