import type { MemoryInterface } from '../kernel.js';
import { parseMachineSwap, type MachineSwap } from '../meminfo.js';
import { parseMemoryStatV1, parseMemoryStatV2, parseTotalSwapV1, type MemoryStat } from '../memory-stat.js';
import { readText } from './kernel-file.js';
import type { MemcgFiles } from './memcg-files.js';
import { lineageOf } from '../lineage.js';
import { cgroupFile, cgroupFileV1, cgroupFileV2, type KernelPaths } from './paths.js';
import { memcgGone } from './refusal.js';

/** cgroup v1 writes "no limit" as LONG_MAX rounded down to pages; no real limit comes near. */
const NO_LIMIT_V1_BYTES = 2 ** 62;

/** Memory and swap of memcgs on cgroup v2. The root has no limits and no counters of its own. */
export class MemoryV2 implements MemoryInterface {
  constructor(
    private readonly files: MemcgFiles,
    private readonly paths: KernelPaths,
  ) {}

  async stat(path: string): Promise<MemoryStat> {
    return parseMemoryStatV2(await statText(this.files, path));
  }

  statNow(path: string): MemoryStat {
    return parseMemoryStatV2(this.files.textNow(path, cgroupFile.stat));
  }

  /** memory.high counts as well: who charges beyond it is put to sleep, and that would be us. */
  async room(path: string): Promise<number> {
    return Math.min(
      await roomUpTo(this.files, path, cgroupFileV2.max, cgroupFileV2.current),
      await roomUpTo(this.files, path, cgroupFileV2.high, cgroupFileV2.current),
    );
  }

  async swapUsed(path: string): Promise<number> {
    const current = await this.files.text(path, cgroupFileV2.swapCurrent);
    if (current !== undefined) return bytesIn(current);
    return path === '/' ? usedBytes(await machineSwap(this.paths)) : 0;
  }

  async swapRoom(path: string): Promise<number> {
    const room = await roomUpTo(this.files, path, cgroupFileV2.swapMax, cgroupFileV2.swapCurrent);
    return Math.min(room, (await machineSwap(this.paths)).freeBytes);
  }

  async swappiness(): Promise<number> {
    return Number(await readText(this.paths.swappiness));
  }
}

/** Memory and swap of memcgs on cgroup v1. */
export class MemoryV1 implements MemoryInterface {
  constructor(
    private readonly files: MemcgFiles,
    private readonly paths: KernelPaths,
  ) {}

  async stat(path: string): Promise<MemoryStat> {
    return parseMemoryStatV1(await statText(this.files, path));
  }

  statNow(path: string, scope: 'own' | 'tree'): MemoryStat {
    return parseMemoryStatV1(this.files.textNow(path, cgroupFile.stat), scope);
  }

  /** A charge counts as memory and as memory with swap: there must be room for both. */
  async room(path: string): Promise<number> {
    return Math.min(
      await roomUpTo(this.files, path, cgroupFileV1.limit, cgroupFileV1.usage),
      await roomUpTo(this.files, path, cgroupFileV1.memswLimit, cgroupFileV1.memswUsage),
    );
  }

  async swapUsed(path: string): Promise<number> {
    return path === '/' ? usedBytes(await machineSwap(this.paths)) : parseTotalSwapV1(await statText(this.files, path));
  }

  /** v1 limits memory and swap together, which swapping out does not change: only the devices can be full. */
  async swapRoom(): Promise<number> {
    return (await machineSwap(this.paths)).freeBytes;
  }

  async swappiness(path: string): Promise<number> {
    return Number((await this.files.text(path, cgroupFileV1.swappiness)) ?? (await readText(this.paths.swappiness)));
  }
}

async function statText(files: MemcgFiles, path: string): Promise<string> {
  const text = await files.text(path, cgroupFile.stat);
  if (text === undefined) throw memcgGone(path);
  return text;
}

/** The least of limit minus usage on the way to the root, at least 0; Infinity where nothing is limited. */
async function roomUpTo(files: MemcgFiles, path: string, limitFile: string, usageFile: string): Promise<number> {
  const rooms = lineageOf(path).map(async (ancestor) => {
    const limit = await files.text(ancestor, limitFile);
    if (limit === undefined || !isLimit(limit)) return Infinity;
    return bytesIn(limit) - bytesIn((await files.text(ancestor, usageFile)) ?? '0');
  });
  return Math.max(0, Math.min(...(await Promise.all(rooms))));
}

function isLimit(text: string): boolean {
  return text.trim() !== 'max' && Number(text) < NO_LIMIT_V1_BYTES;
}

function bytesIn(text: string): number {
  return Number(text);
}

async function machineSwap(paths: KernelPaths): Promise<MachineSwap> {
  return parseMachineSwap(await readText(paths.meminfo));
}

function usedBytes({ totalBytes, freeBytes }: MachineSwap): number {
  return totalBytes - freeBytes;
}
