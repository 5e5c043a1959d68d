import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { MemoryInterface } from '../kernel.js';
import { parseReclaimableSlabBytes } from '../meminfo.js';
import { parseShrinkerCount, type SlabCache, type SlabInterface } from '../slab.js';
import { pathBytes, readText, writeText } from './kernel-file.js';
import type { KernelPaths } from './paths.js';
import { isGone, kernelRefused } from './refusal.js';

/** Shrinkers of dentries and inodes: one for each superblock. */
const SUPERBLOCK = /^sb-/;
/** Writing this to drop_caches frees dentries and inodes, and no page cache. */
const DENTRIES_AND_INODES = '2';

export class LinuxSlab implements SlabInterface {
  constructor(
    private readonly paths: Pick<KernelPaths, 'shrinkers' | 'dropCaches' | 'meminfo'>,
    private readonly memory: Pick<MemoryInterface, 'stat'>,
    private readonly cgroupVersion: 1 | 2,
  ) {}

  obstacle(): string | undefined {
    if (!existsSync(pathBytes(this.paths.shrinkers)))
      return `this kernel cannot shrink the caches of one memcg: it has no ${this.paths.shrinkers} (CONFIG_SHRINKER_DEBUG)`;
    if (this.cgroupVersion === 1) return 'this kernel can shrink the caches of one memcg on cgroup v2 only';
    return undefined;
  }

  async caches(): Promise<SlabCache[]> {
    try {
      const caches: SlabCache[] = [];
      for (const shrinker of await readdir(pathBytes(this.paths.shrinkers), 'latin1'))
        if (SUPERBLOCK.test(shrinker)) caches.push(...(await this.#cachesOf(shrinker)));
      return caches;
    } catch (error) {
      throw kernelRefused(`Cannot count what the shrinkers in ${this.paths.shrinkers} have.`, error);
    }
  }

  async shrink({ shrinker, memcgInode }: SlabCache, node: number, objects: number): Promise<void> {
    const file = `${this.paths.shrinkers}/${shrinker}/scan`;
    try {
      await writeText(file, `${memcgInode} ${node} ${objects}`);
    } catch (error) {
      // The file system was unmounted, or the memcg removed.
      if (!isGone(error)) throw kernelRefused(`Cannot write to ${file}.`, error);
    }
  }

  async dropAll(): Promise<void> {
    try {
      await writeText(this.paths.dropCaches, DENTRIES_AND_INODES);
    } catch (error) {
      throw kernelRefused(`Cannot write to ${this.paths.dropCaches}.`, error);
    }
  }

  async reclaimableBytes(path: string): Promise<number> {
    if (path === '/') return parseReclaimableSlabBytes(await readText(this.paths.meminfo));
    return (await this.memory.stat(path)).slabReclaimableBytes;
  }

  /** None where the file system was unmounted meanwhile. */
  async #cachesOf(shrinker: string): Promise<SlabCache[]> {
    try {
      return parseShrinkerCount(shrinker, await readText(`${this.paths.shrinkers}/${shrinker}/count`));
    } catch (error) {
      if (isGone(error)) return [];
      throw error;
    }
  }
}
