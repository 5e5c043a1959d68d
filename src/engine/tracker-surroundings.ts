import type { Capabilities } from '../kernel/capabilities.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Log } from '../log.js';
import type { BorrowedSettings } from './borrowed-settings.js';

/** What a tracker is made of. */
export interface TrackerSurroundings {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly capabilities: Capabilities;
  readonly log: Log;
  readonly borrowed: BorrowedSettings;
  /** How much of one core looking may take, in percent; above 0, at most 100. */
  readonly cpuPercent: number;
  /** The scan period in milliseconds; 0 is off. */
  readonly periodMs: () => number;
}
