/** Free memory of the machine, by the size of its blocks. Index: order; a block of order n has 2^n pages. */
export interface FreeMemory {
  readonly freeBytes: number;
  /** Free pages that compaction can work with: those of movable blocks. */
  readonly movablePagesByOrder: readonly number[];
  readonly blocksByOrder: readonly number[];
}

/** How a compaction ended: by itself, killed on request, or refused by the kernel (with its exit code). */
export type CompactionEnd = 'done' | 'killed' | 'refused';

/** One compaction under way. */
export interface CompactionRun {
  /** Resolves when it has ended; never rejects. */
  readonly ended: Promise<CompactionEnd>;
  /** Asks the kernel to end it: it looks at fatal signals between blocks. May be called more than once, and after the end. */
  kill(): void;
}

/** Compaction (/proc/sys/vm/compact_memory, and compact of a node): synchronous for whoever asks, so it is asked for by a process of its own. */
export interface CompactionInterface {
  /** Starts what compactions are started by. To be called before anything is opened that a child must not inherit (/dev/fuse). */
  prepare(): void;
  /** Ends what `prepare` started. */
  close(): void;
  freeMemory(): Promise<FreeMemory>;
  /** Free blocks by node and order, at once. Throws KERNEL_REFUSED. */
  freeBlocksByNode(): ReadonlyMap<number, readonly number[]>;
  /**
   * Has each processor give back a part of the free pages that it keeps in lists of its own, where no compaction sees them (decay_pcp_high in mm/page_alloc.c, Linux 6.7; older
   * kernels keep few). Throws KERNEL_REFUSED.
   */
  drainProcessorLists(): Promise<void>;
  /** Starts a compaction, of one node or of the whole machine. Throws KERNEL_REFUSED when it cannot be started. */
  start(node?: number): CompactionRun;
}
