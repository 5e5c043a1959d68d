import { ColdpgsError } from '../errors.js';
import type { Capabilities } from '../kernel/capabilities.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Log } from '../log.js';
import type { Tracker, TrackerName } from './tracker.js';
import { MglruTracker } from './mglru-tracker.js';

/** What a tracker is made of. */
export interface TrackerSurroundings {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly capabilities: Capabilities;
  readonly log: Log;
  /** The scan period in milliseconds; 0 is off. */
  readonly periodMs: () => number;
}

/** The tracker of a name, not started yet. Throws TRACKER_UNAVAILABLE where the kernel can never run it. */
export function createTracker(name: TrackerName, surroundings: TrackerSurroundings): Tracker {
  const make = makers[name];
  if (!make)
    throw new ColdpgsError('TRACKER_UNAVAILABLE', 'EOPNOTSUPP', `This version has no tracker ${name}: use mglru.`);
  return make(surroundings);
}

const makers: Partial<Record<TrackerName, (surroundings: TrackerSurroundings) => Tracker>> = {
  mglru: ({ periodMs }) => new MglruTracker(periodMs),
};
