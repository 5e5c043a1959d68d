import type { AddressRange } from './pagemap.js';

/** A process, and the program it runs: both ids are given again one day, and a process may turn to another program (execve). */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat. */
  readonly startTicks: string;
  /** Field 28: where its main stack begins, another at each execve. */
  readonly stackStart: string;
}

/** Memory of one process whose lock is to be changed. `locked`: on fault, so that nothing is brought in for it. */
export interface LockChange {
  readonly identity: ProcessIdentity;
  readonly to: 'unlocked' | 'locked';
  readonly ranges: readonly AddressRange[];
}

/** The refusal of a process that is no more. */
export const HAS_ENDED = 'it has ended';

export interface LockChangeOutcome {
  readonly changedBytes: number;
  /** How long the process was held up, each time. */
  readonly stopsMs: readonly number[];
  /** Why it was left alone, or not all was done. */
  readonly refusal: string | undefined;
}

/** Memory of a process that is locked and may be unlocked: none that holds code, nor its stack. Neighbours of one kind are one range. */
export interface LockedMemory {
  readonly identity: ProcessIdentity;
  readonly ranges: readonly LockedRange[];
}

export interface LockedRange extends AddressRange {
  readonly kind: 'anon' | 'file';
}

/** Locks that processes have on memory (mlock(2)), taken off and put back by system calls of the processes themselves (docs/mlocked.md). */
export interface MlockInterface {
  /** Why it cannot be done on this machine; undefined when it can. */
  obstacle(): string | undefined;
  /**
   * Starts what processes are traced by. To be called before anything is opened that a child must not inherit (/dev/fuse). When this process dies, what the file
   * `journal` says is locked again.
   */
  prepare(journal: string): void;
  /** Ends what `prepare` started. */
  close(): void;
  /** Undefined when the process is gone, or has none. Throws KERNEL_REFUSED. */
  lockedMemory(pid: number): Promise<LockedMemory | undefined>;
  /** Bytes of some ranges of a process that are in memory; 0 when it is gone. */
  presentBytes(pid: number, ranges: readonly AddressRange[]): Promise<number>;
  /** Never throws: why nothing was done is in the outcome. Changes of one process after the other. */
  change(change: LockChange): Promise<LockChangeOutcome>;
  /** Locks again what a journal says that an earlier daemon left unlocked, and removes it. */
  settle(journal: string): Promise<void>;
}
