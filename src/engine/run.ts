import type { Memcg } from '../kernel/kernel.js';
import type { PageType } from './eviction.js';
import type { ColdPages } from './reclaim-plan.js';
import type { ReadLosses } from './read-losses.js';

/** What one eviction command may take at most, whatever batch says, so that a run can be stopped: 256 MiB. */
export const largestStepPages = 65_536;

/** A batch of the kernel's. A generation with fewer pages is not worth another wait, nor a command for fewer its trip. */
export const fewPages = 64;

export interface ReclaimRequest {
  readonly memcg: Memcg;
  readonly agePeriods: number;
  readonly periodMs: number;
  /** Infinity where the amount is not limited. */
  readonly limitBytes: number;
  /** In the order of the module: anon before file. */
  readonly types: readonly PageType[];
  readonly stepPages: number;
  /** Anonymous memory that is proven idle for so long goes to a swap device, past zswap; undefined: all where the kernel puts it. */
  readonly deviceIdleMs?: number | undefined;
  /** Leaves less than what is proven cold, where somebody asks for less. */
  readonly narrow?: (cold: readonly ColdPages[]) => readonly ColdPages[];
  /** Told what each command freed. */
  readonly onFreed?: (node: number, type: PageType, pages: number) => void;
  /** Asked before each command: the name of a reason to end the run, or undefined to go on. */
  readonly guard?: (type: PageType, signal: AbortSignal) => Promise<string | undefined>;
}

/** One run of one memcg: what it may still free, and what it has done. */
export interface Run {
  readonly request: ReclaimRequest;
  readonly signal: AbortSignal;
  leftPages: number;
  freedPages: number;
  /** Time inside eviction commands and waiting for their writes to swap. */
  evictionMs: number;
  /** Time waited for grace and probes. */
  waitedMs: number;
  /** What it takes of page cache that is in use through read(2); undefined where none was seen in use, or nothing can tell. */
  readonly reads: ReadLosses | undefined;
  /** Swap cache of the memcg when the run began. */
  swapCachedPages: number;
  /** Whether what is sent to swap is there at once: all swap is zram, or the last command's pages went to zswap. */
  onZram: boolean;
  /** Whether the run aged the memcg to fold its oldest generation: what is in use stands among the younger ones since then. */
  folded: boolean;
  writesAtOnce: boolean;
  readonly shortfalls: string[];
  /** Whether nothing was proven cold when it began. */
  nothingCold: boolean;
  /** What the guard ended the run for. */
  stoppedBy: string | undefined;
}

/** A run that has done nothing yet. */
export function startRun(request: ReclaimRequest, pageBytes: number, signal: AbortSignal, reads?: ReadLosses): Run {
  return {
    request,
    signal,
    leftPages: Math.floor(request.limitBytes / pageBytes),
    freedPages: 0,
    evictionMs: 0,
    waitedMs: 0,
    reads,
    swapCachedPages: 0,
    onZram: false,
    folded: false,
    writesAtOnce: false,
    shortfalls: [],
    nothingCold: false,
    stoppedBy: undefined,
  };
}
