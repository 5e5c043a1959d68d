import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import type { AddressRange } from '../kernel/pagemap.js';
import type { ReclaimedTypes } from '../kernel/memory-reclaim.js';
import type { MemoryStat } from '../kernel/memory-stat.js';
import type { BorrowedSettings } from './borrowed-settings.js';
import type { LedgerBytes } from './ledger.js';
import { sameLineage } from '../kernel/lineage.js';
import { Turns } from './turns.js';

export type PageType = 'anon' | 'file';

/** One eviction command on one node, for pages of one type in generations up to `seq`. */
export interface EvictionTarget {
  readonly id: string;
  readonly node: number;
  readonly seq: bigint;
  readonly type: PageType;
  /** Whether what is swapped out goes to a swap device even where zswap is on. */
  readonly toDevice: boolean;
}

/** Memory of a process that is to go by its addresses. */
export interface PageOutTarget {
  readonly pid: number;
  readonly ranges: readonly AddressRange[];
  readonly type: PageType;
  /** As for {@link EvictionTarget}. */
  readonly toDevice: boolean;
}

/** What one command freed and brought back, by the kernel's counters. */
export interface EvictionOutcome {
  /** Pages of the type asked for. */
  readonly freedPages: number;
  /** Page cache that the kernel took beside anon, where it cannot evict anon alone. */
  readonly otherPages: number;
  readonly rows: LedgerBytes;
  /** Cumulative refaults of the type after the command. */
  readonly refaultPages: number;
  /** Of the pages freed, those that went to zswap. */
  readonly zswapPages: number;
  /** Pages of the memcg being written when the command returned. */
  readonly writebackPages: number;
  readonly tookMs: number;
}

/** What became of memory that was sent out by address. */
export interface PageOutOutcome extends Omit<EvictionOutcome, 'otherPages' | 'writebackPages'> {
  /** Pages that are mapped no more: what of them is being written to swap is freed later. */
  readonly sentPages: number;
}

/**
 * Eviction commands, each measured. The counters of a memcg include its descendants, so commands within one lineage take turns:
 * what is measured then is what the command did.
 */
export class Eviction {
  readonly #turns = new Turns(Infinity, sameLineage);

  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    private readonly borrowed: BorrowedSettings,
    private readonly anonOnlyEviction: boolean,
  ) {}

  /** Runs one command and measures it. `pages` is what may be freed at most, but for one batch of the kernel's. */
  async evict(memcg: Memcg, target: EvictionTarget, pages: number, signal: AbortSignal): Promise<EvictionOutcome> {
    return this.#turns.run(memcg.path, signal, async () => {
      const before = await this.kernel.memory.stat(memcg.path);
      const giveBack = target.toDevice ? this.#keepFromZswap(memcg) : undefined;
      const startMs = this.clock.nowMs();
      try {
        await this.kernel.lruGen.evict({
          id: target.id,
          path: memcg.path,
          node: target.node,
          minSeq: target.seq,
          swappiness: target.type,
          pages,
        });
      } finally {
        giveBack?.();
      }
      const tookMs = this.clock.nowMs() - startMs;
      const after = await this.kernel.memory.stat(memcg.path);
      const allPages = freedBetween(before, after, target.type, this.kernel.pageBytes);
      const otherPages = target.type === 'anon' ? this.#filePages(before, after, allPages) : 0;
      const freedPages = allPages - otherPages;
      const zswapPages =
        target.type === 'anon' ? Math.min(freedPages, zswappedBetween(before, after, target.toDevice)) : 0;
      return {
        freedPages,
        otherPages,
        zswapPages,
        rows: this.#rows(target.type, freedPages, otherPages, zswapPages),
        refaultPages: refaultsOf(after, target.type),
        writebackPages: after.writebackBytes / this.kernel.pageBytes,
        tookMs,
      };
    });
  }

  /** memory.reclaim of a memcg, measured: the kernel chooses what it frees of it and of those below it. */
  async reclaimBelow(
    memcg: Memcg,
    pages: number,
    types: ReclaimedTypes,
    signal: AbortSignal,
  ): Promise<Pick<EvictionOutcome, 'freedPages' | 'rows'>> {
    return this.#turns.run(memcg.path, signal, async () => {
      const before = await this.kernel.memory.stat(memcg.path);
      await this.kernel.memoryReclaim.reclaim(memcg.path, pages * this.kernel.pageBytes, types);
      const after = await this.kernel.memory.stat(memcg.path);
      const freedPages = freedBetween(before, after, 'file', this.kernel.pageBytes);
      const fellPages = Math.max(0, (before.fileBytes - after.fileBytes) / this.kernel.pageBytes);
      const filePages = types === 'file' ? freedPages : Math.min(freedPages, fellPages);
      const anonPages = freedPages - filePages;
      const zswapPages = Math.min(anonPages, zswappedBetween(before, after));
      return { freedPages, rows: this.#rows('anon', anonPages, filePages, zswapPages) };
    });
  }

  /** Has ranges of a process's memory sent out, and measures what went. */
  async pageOut(
    memcg: Memcg,
    { pid, ranges, type, toDevice }: PageOutTarget,
    signal: AbortSignal,
  ): Promise<PageOutOutcome> {
    const { pageBytes } = this.kernel;
    return this.#turns.run(memcg.path, signal, async () => {
      const before = await this.kernel.memory.stat(memcg.path);
      const giveBack = toDevice && type === 'anon' ? this.#keepFromZswap(memcg) : undefined;
      const startMs = this.clock.nowMs();
      let sentPages: number;
      try {
        sentPages = await this.kernel.pageOut.pageOut(pid, ranges);
      } finally {
        giveBack?.();
      }
      const tookMs = this.clock.nowMs() - startMs;
      const after = await this.kernel.memory.stat(memcg.path);
      const freedPages = Math.max(0, sentPages - keptBytes(before, after, type, sentPages * pageBytes) / pageBytes);
      const zswapPages = type === 'anon' ? Math.min(freedPages, zswappedBetween(before, after, toDevice)) : 0;
      const refaultPages = refaultsOf(after, type);
      return {
        sentPages,
        freedPages,
        zswapPages,
        rows: this.#rows(type, freedPages, 0, zswapPages),
        refaultPages,
        tookMs,
      };
    });
  }

  /** The kernel stores pages in zswap while it sends them out, so the loan need last no longer than the command. */
  #keepFromZswap({ path }: Memcg): () => void {
    const file = this.kernel.settings.memcgFile(path, 'memory.zswap.max');
    return file === undefined ? () => undefined : this.borrowed.borrow(file, '0');
  }

  /** How much of what an anon command freed was page cache, by its fall meanwhile. */
  #filePages(before: MemoryStat, after: MemoryStat, allPages: number): number {
    const fellPages = Math.max(0, (before.fileBytes - after.fileBytes) / this.kernel.pageBytes);
    return this.anonOnlyEviction ? 0 : Math.min(allPages, fellPages);
  }

  #rows(type: PageType, freedPages: number, otherPages: number, zswapPages: number): LedgerBytes {
    const { pageBytes } = this.kernel;
    if (type === 'file') return { 'pagecache dropped': freedPages * pageBytes };
    return {
      'pagecache dropped': otherPages * pageBytes,
      'anon zswap out': zswapPages * pageBytes,
      'anon swap out': (freedPages - zswapPages) * pageBytes,
    };
  }

  /** Cumulative refaults of a type in a memcg and its descendants, in pages. */
  async refaults(memcg: Memcg, type: PageType): Promise<number> {
    return refaultsOf(await this.kernel.memory.stat(memcg.path), type);
  }
}

/** Of what a process has mapped no more, what is in memory all the same: swap cache, and page cache that is dirty. */
function keptBytes(before: MemoryStat, after: MemoryStat, type: PageType, sentBytes: number): number {
  if (type === 'anon') return Math.max(0, after.swapCachedBytes - before.swapCachedBytes);
  return sentBytes - Math.max(0, before.fileBytes - after.fileBytes);
}

function refaultsOf(stat: MemoryStat, type: PageType): number {
  return type === 'anon' ? stat.refaultAnonPages : stat.refaultFilePages;
}

/**
 * Pages that went to zswap. Where they must not, a kernel from 6.8 on makes room for them by writing as many older ones to the device: then
 * those stand for them.
 */
function zswappedBetween(before: MemoryStat, after: MemoryStat, toDevice = false): number {
  const out = (after.zswapOutPages ?? 0) - (before.zswapOutPages ?? 0);
  const writtenBack = (after.zswapWrittenBackPages ?? 0) - (before.zswapWrittenBackPages ?? 0);
  return Math.max(0, toDevice ? out - writtenBack : out);
}

/** cgroup v1 counts no reclaimed pages; there the fall of the type's own bytes stands in. */
function freedBetween(before: MemoryStat, after: MemoryStat, type: PageType, pageBytes: number): number {
  if (before.stealPages !== undefined && after.stealPages !== undefined)
    return Math.max(0, after.stealPages - before.stealPages);
  const field = type === 'anon' ? 'anonBytes' : 'fileBytes';
  return Math.max(0, (before[field] - after[field]) / pageBytes);
}
