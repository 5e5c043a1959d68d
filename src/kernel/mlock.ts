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

export interface LockChangeOutcome {
  readonly changedBytes: number;
  /** How long the process was held up, each time. */
  readonly stopsMs: readonly number[];
  /** Why it was left alone, or not all was done. */
  readonly refusal: string | undefined;
}
