import { type BigIntStats, existsSync, readdirSync, statSync } from 'node:fs';
import { systemErrno } from '../../errors.js';
import { parseCpuUsage } from '../cpu-stat.js';
import type { Memcg, MemcgInterface } from '../kernel.js';
import { childPath } from '../lineage.js';
import { parseMemoryCgroup } from '../proc-cgroup.js';
import { pathBytes, readText, readTextSync } from './kernel-file.js';
import { directoryOf, isMemcgPath } from './memcg-path.js';
import { pathInMount, type MemoryHierarchy } from './memory-hierarchy.js';
import { cgroupFile, cgroupFileV2 } from './paths.js';
import { isGone, kernelRefused, memcgGone } from './refusal.js';
import { Slice } from './slice.js';

/** The longest that a walk over all memcgs keeps other work waiting. */
const SLICE_MS = 4;

/** Memcgs as directories of the cgroup file system. */
export class LinuxMemcgs implements MemcgInterface {
  constructor(
    private readonly hierarchy: MemoryHierarchy,
    private readonly ownCgroupFile: string,
  ) {}

  at(path: string): Memcg | undefined {
    const directory = this.#stat(path);
    return directory === undefined ? undefined : { path, inode: directory.ino };
  }

  /** On v2 a cgroup without the memory controller is no memcg: its memory is its parent's. */
  has(path: string): boolean {
    return isMemcgPath(path) && existsSync(pathBytes(`${directoryOf(this.hierarchy, path)}/${cgroupFile.stat}`));
  }

  childNames(path: string): string[] {
    if (!isMemcgPath(path)) return [];
    const directory = directoryOf(this.hierarchy, path);
    try {
      if (this.hierarchy.version === 2 && !givesMemoryToChildren(directory)) return [];
      return directoryNames(directory);
    } catch (error) {
      if (isGone(error)) return [];
      throw kernelRefused(`Cannot list ${directory}.`, error);
    }
  }

  async list(): Promise<Memcg[]> {
    const memcgs: Memcg[] = [];
    const paths = ['/'];
    const slice = new Slice(SLICE_MS);
    // Children are added to `paths` behind their parent while it is walked.
    for (const path of paths) {
      const directory = this.#stat(path);
      if (directory === undefined) continue;
      memcgs.push({ path, inode: directory.ino });
      if (mayHaveChildren(directory)) for (const name of this.childNames(path)) paths.push(childPath(path, name));
      if (slice.isOver) await slice.next();
    }
    return memcgs;
  }

  async tasks(path: string): Promise<number[]> {
    const ids = new Set<number>();
    const directories = [directoryOf(this.hierarchy, path)];
    // Those below are added behind their parent while it is walked.
    for (const [index, directory] of directories.entries())
      try {
        for (const id of await processIds(`${directory}/${cgroupFile.processes}`)) ids.add(id);
        if (this.hierarchy.version === 2 && !givesMemoryToChildren(directory))
          for (const name of directoryNames(directory)) directories.push(`${directory}/${name}`);
      } catch (error) {
        if (!isGone(error)) throw kernelRefused(`Cannot see the processes of ${directory}.`, error);
        if (index === 0) throw memcgGone(path, error);
      }
    return [...ids];
  }

  async cpuUsageUs(path: string): Promise<number | undefined> {
    if (this.hierarchy.version === 1) return undefined;
    const file = `${directoryOf(this.hierarchy, path)}/${cgroupFileV2.cpuStat}`;
    try {
      return parseCpuUsage(await readText(file));
    } catch (error) {
      if (isGone(error)) throw memcgGone(path, error);
      throw kernelRefused(`Cannot read ${file}.`, error);
    }
  }

  /** The root when this process runs outside of the part of the hierarchy that is mounted. */
  own(): string {
    const path = parseMemoryCgroup(readTextSync(this.ownCgroupFile), this.hierarchy.version) ?? '/';
    return pathInMount(this.hierarchy, path) ?? '/';
  }

  /** The directory of the memcg at `path`, or undefined when there is none. */
  #stat(path: string): BigIntStats | undefined {
    return this.has(path) ? statIfThere(directoryOf(this.hierarchy, path)) : undefined;
  }
}

function statIfThere(file: string): BigIntStats | undefined {
  try {
    return statSync(pathBytes(file), { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    if (isGone(error) || systemErrno(error) === 'ENAMETOOLONG') return undefined;
    throw kernelRefused(`Cannot look at ${file}.`, error);
  }
}

/** A directory of the cgroup file system has a link for each child, and two more. */
function mayHaveChildren(directory: BigIntStats): boolean {
  return directory.nlink !== 2n;
}

function givesMemoryToChildren(directory: string): boolean {
  return readTextSync(`${directory}/${cgroupFile.subtreeControl}`).trim().split(' ').includes('memory');
}

function directoryNames(directory: string): string[] {
  return readdirSync(pathBytes(directory), { encoding: 'latin1', withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

/** Process ids in a cgroup.procs file; none in a cgroup of threads, whose processes belong to the cgroup above. */
async function processIds(file: string): Promise<number[]> {
  try {
    return parseProcessIds(await readText(file));
  } catch (error) {
    if (systemErrno(error) === 'EOPNOTSUPP') return [];
    throw error;
  }
}

/** Processes of other pid namespaces show as 0, and are left out. */
function parseProcessIds(text: string): number[] {
  const ids = Array.from(text.matchAll(/^(\d{1,10})\n/gm), ([, id]) => Number(id));
  return ids.filter((id) => id > 0);
}
