/**
 * The face of kernel/: what the engine may ask of a machine, and nothing about how it is asked.
 * linux/ answers from /proc, /sys and debugfs; simulated/ answers from a model.
 *
 * Paths of memcgs are relative to the root of the hierarchy and start with "/" ("/" is the root memcg). Names in the kernel are
 * bytes, so every path here is a string with one character a byte (latin1); text.ts converts for people.
 *
 * A method that meets a memcg that is gone throws ColdpgsError MEMCG_GONE (ENOENT); a refusal of the kernel is KERNEL_REFUSED with the cause.
 */
import type { Capabilities } from './capabilities.js';
import type { CgroupFiles } from './cgroup-files.js';
import type { CompactionInterface } from './compaction.js';
import type { DamonPlan, DamonStat } from './damon.js';
import type { LruGenMemcg, Swappiness } from './lru-gen.js';
import type { MemoryReclaimInterface } from './memory-reclaim.js';
import type { MemoryStat } from './memory-stat.js';
import type { MlockInterface } from './mlock.js';
import type { PressureTotals } from './psi.js';
import type { SwapDevice } from './swaps.js';
import type { PageFrames } from './page-frames.js';
import type { AddressRange } from './pagemap.js';
import type { SlabInterface } from './slab.js';
import type { ZswapInterface } from './zswap.js';

/** One live memcg. `inode` is the identity: the kernel does not give it again before a reboot. */
export interface Memcg {
  readonly path: string;
  readonly inode: bigint;
}

export interface MemcgInterface {
  /** The memcg at a path as it is now, or undefined. Cheap and synchronous: the tree asks it for every lookup. */
  at(path: string): Memcg | undefined;
  /** Whether there is a memcg at a path. Half of what `at` costs. */
  has(path: string): boolean;
  /** Names of the child memcgs, unsorted; [] when the memcg is gone. Synchronous. */
  childNames(path: string): string[];
  /** Every live memcg, parents before children, the root first. */
  list(): Promise<Memcg[]>;
  /** Process ids (thread group leaders) in the memcg itself and in cgroups below it that are no memcgs, whose memory is its own; not in its descendants. */
  tasks(path: string): Promise<number[]>;
  /** CPU time used by the tasks of the memcg and its descendants since it was made, in microseconds; undefined where the kernel does not say (cgroup v1). */
  cpuUsageUs(path: string): Promise<number | undefined>;
  /** The memcg this process runs in. */
  own(): string;
}

/** Generations of MgLRU, and the commands that age and evict them (debugfs lru_gen). */
export interface LruGenInterface {
  /** Generations of every memcg, the root included, in the kernel's order; offline memcgs (id 0) included. Their ages are those at the end of the reading. */
  read(): Promise<LruGenMemcg[]>;
  /** Generations of one memcg: reads no further than it must. undefined when the kernel lists none under that path. */
  readOne(path: string): Promise<LruGenMemcg | undefined>;
  /** Makes a new youngest generation after a full walk, for each target. Answers the targets that the kernel refused, with the error. */
  age(targets: readonly AgingTarget[]): Promise<AgingRefusal[]>;
  /**
   * Evicts from generations up to and including `minSeq`. What was freed must be measured: the kernel does not say.
   * Throws MEMCG_GONE, and KERNEL_REFUSED with cause EINVAL when `minSeq` is not evictable (any more): read the generations again.
   */
  evict(command: EvictCommand): Promise<void>;
}

export interface AgingTarget {
  readonly id: string;
  readonly path: string;
  readonly node: number;
  readonly maxSeq: bigint;
}

export interface AgingRefusal {
  readonly target: AgingTarget;
  readonly error: Error;
}

export interface EvictCommand {
  readonly id: string;
  /** The path the id was listed under: where no memcg is there any more, the kernel may have given the id to another one. */
  readonly path: string;
  readonly node: number;
  readonly minSeq: bigint;
  readonly swappiness: Swappiness;
  /** Base pages. The kernel works in batches of 64 and may free up to one batch (or one large folio) more. */
  readonly pages: number;
}

export interface MemoryInterface {
  /** memory.stat of a memcg: hierarchical on v2; the memcg's own on v1. */
  stat(path: string): Promise<MemoryStat>;
  /** The same at once, while nothing else goes on: for one memcg that somebody reads a file of. `tree`: with its descendants on v1 too. */
  statNow(path: string, scope: 'own' | 'tree'): MemoryStat;
  /** Bytes that can still be charged to the memcg: the least of memory.max and memory.high less memory.current on the way to the root; Infinity without limits. */
  room(path: string): Promise<number>;
  /** Bytes of swap charged to the memcg and its descendants; the machine's for the root. */
  swapUsed(path: string): Promise<number>;
  /** Bytes of swap the memcg may still take: the least of (memory.swap.max - memory.swap.current) to the root and what the devices have free. */
  swapRoom(path: string): Promise<number>;
  /** vm.swappiness (v2), or the memcg's memory.swappiness (v1): 0 means that anon must not be swapped. */
  swappiness(path: string): Promise<number>;
}

export interface SwapInterface {
  devices(): Promise<SwapDevice[]>;
}

/** Pressure stall information of memcgs and of the machine. */
export interface PressureInterface {
  /**
   * `machine` where the kernel keeps none by memcg (cgroup v1 without a unified hierarchy): then every path answers the machine's. With `memcg` those that
   * the unified hierarchy beside v1 has not do so as well.
   */
  readonly scope: 'memcg' | 'machine';
  /** Stall times of the tasks of a memcg and its descendants; of all tasks for the root. Throws MEMCG_GONE, KERNEL_REFUSED. */
  totals(path: string): Promise<PressureTotals>;
}

/** Memory of processes: where its pages are, and bringing them back. */
export interface ProcessInterface {
  /** Address ranges whose pages are swapped out, found in pagemap, lowest first. Ends at once when the process is gone. */
  swappedRanges(pid: number): AsyncIterable<AddressRange>;
  /** Bytes of page cache that page tables of the process show as used since their accessed bits were cleared; 0 when it is gone. Throws KERNEL_REFUSED. */
  referencedFileBytes(pid: number): Promise<number>;
  /** Reads a range through /proc/PID/mem so that its pages are mapped again. Answers the bytes read: fewer when the process goes away or the range is unmapped. */
  populate(pid: number, range: AddressRange): Promise<number>;
}

/** Settings of the machine that are changed for a while and put back (engine/borrowed-settings.ts). A `file` is an absolute path. */
export interface SettingInterface {
  /** The file of a memcg's setting (for example memory.swap.max), or undefined where the memcg has none (the root, cgroup v1). */
  memcgFile(path: string, name: string): string | undefined;
  /** Current text without the newline, or undefined when the file is not there. Synchronous: what is borrowed must be back before the process ends. */
  read(file: string): string | undefined;
  /** Throws KERNEL_REFUSED. Synchronous. */
  write(file: string, value: string): void;
}

/** What the kernel says of page frames: what each is, how it is used, and the memcg it is charged to. */
export interface PageFrameInterface {
  /** Why they cannot be read here; undefined when they can. */
  obstacle(): Promise<string | undefined>;
  /** Frames of the machine, holes among them: one more than the number of the last. */
  count(): Promise<number>;
  /** Reads frames from `firstPfn` on, as many as there is room for. Answers how many: fewer at the end of memory, 0 past it. Throws KERNEL_REFUSED. */
  read(firstPfn: number, into: PageFrames): Promise<number>;
}

/** Idle page tracking (kernel/idle-bitmap.ts). Pages that are used through page tables lose their mark; under MgLRU those used through read(2) keep it. */
export interface IdlePageInterface {
  obstacle(): Promise<string | undefined>;
  /** Fills `into` with the marks of frames from `firstPfn` (a multiple of 64) on; zeros past the last. Marks are on the first page of a folio only. Throws KERNEL_REFUSED. */
  read(firstPfn: number, into: Uint8Array): Promise<void>;
  /** Marks the frames whose bits are set as idle; others are left alone. Throws KERNEL_REFUSED. */
  mark(firstPfn: number, bitmap: Uint8Array): Promise<void>;
}

/** Page frames of neighbouring pages of a process; -1 for a page that is not in memory. */
export interface MappedFrames {
  /** Address of the page that the first is of. */
  readonly start: number;
  readonly pfns: Float64Array;
}

/** Memory of processes by address: which frames hold it, and sending out what is in some (process_madvise(2), Linux 5.10). */
export interface PageOutInterface {
  /** Why it cannot be had here; undefined when it can. */
  obstacle(): Promise<string | undefined>;
  /** Where the memory of a process is, lowest addresses first, without mappings that have none in memory; ends at once when it is gone. Throws KERNEL_REFUSED. */
  frames(pid: number): AsyncIterable<MappedFrames>;
  /**
   * Evicts what a process has in ranges of addresses, whether it is in use or not; not what other processes have mapped as well, nor what is mlocked. Answers how many
   * pages of the ranges are not in memory afterwards, as far as the process's page tables tell; 0 where it is gone. Throws KERNEL_REFUSED.
   */
  pageOut(pid: number, ranges: readonly AddressRange[]): Promise<number>;
}

/**
 * One kdamond of coldpgs's own that counts bytes. It is made and turned on by borrowing the two files (engine/borrowed-settings.ts):
 * `countFile` at 1, then `stateFile` at "on". What else is written to it goes when `countFile` is given back. Whoever turns it off may put his own in its
 * place: it is coldpgs's own only while `pidFile` says what it said when it was turned on.
 */
export interface DamonInterface {
  /** Why it cannot be had here; undefined when it can. */
  obstacle(): Promise<string | undefined>;
  readonly countFile: string;
  readonly stateFile: string;
  /** The process id of the kdamond; -1 while it is off. */
  readonly pidFile: string;
  /** Between the two loans: what it is to do. Answers the bytes of memory that it will watch. Throws KERNEL_REFUSED. */
  configure(plan: DamonPlan): Promise<number>;
  /**
   * Other schemes for the own one, which has this process id. What was counted before means nothing afterwards. Throws KERNEL_REFUSED, and TRACKER_UNAVAILABLE where
   * the own one is no more.
   */
  replaceSchemes(plan: DamonPlan, pid: string): Promise<void>;
  /** What each scheme of the own one has counted up to now, in the order of the plan. Throws as `replaceSchemes` does. */
  stats(schemes: number, pid: string): Promise<DamonStat[]>;
}

export interface Kernel {
  readonly kind: 'linux' | 'simulated';
  readonly pageBytes: number;
  capabilities(): Promise<Capabilities>;
  readonly memcgs: MemcgInterface;
  readonly lruGen: LruGenInterface;
  readonly memory: MemoryInterface;
  readonly memoryReclaim: MemoryReclaimInterface;
  readonly swap: SwapInterface;
  readonly zswap: ZswapInterface;
  readonly slab: SlabInterface;
  readonly processes: ProcessInterface;
  readonly mlock: MlockInterface;
  readonly settings: SettingInterface;
  readonly pressure: PressureInterface;
  readonly compaction: CompactionInterface;
  readonly pageFrames: PageFrameInterface;
  readonly idlePages: IdlePageInterface;
  readonly pageOut: PageOutInterface;
  readonly damon: DamonInterface;
  /** Missing in a simulation. */
  readonly cgroupFiles?: CgroupFiles;
}
