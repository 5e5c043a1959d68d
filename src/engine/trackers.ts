import type { Capabilities } from '../kernel/capabilities.js';
import { isAtLeast, parseKernelRelease } from '../kernel/kernel-release.js';
import { MappedWitness } from './mapped-witness.js';
import type { Tracker, TrackerName } from './tracker.js';
import type { TrackerSurroundings } from './tracker-surroundings.js';
import { DamonTracker } from './damon-tracker.js';
import { IdlePageTracker } from './idle-page-tracker.js';
import { MglruTracker } from './mglru-tracker.js';
import { KernelFlagsWitness } from './read-witness.js';
import { WatchedTracker } from './watched-tracker.js';

/** Share of the budget for watching that the witness of reads may have. */
const witnessShare = 0.4;
/** The same for that of mapped page cache. */
const mappedShare = 0.2;

/** Whether agings promote only what they find in use a second time (Linux 6.14 and later). */
function promotesAtSecondSight({ kernelRelease }: Capabilities): boolean {
  return isAtLeast(parseKernelRelease(kernelRelease), 6, 14);
}

/** The tracker of a name, not started yet. */
export function createTracker(name: TrackerName, surroundings: TrackerSurroundings): Tracker {
  return makers[name](surroundings);
}

const makers: Readonly<Record<TrackerName, (surroundings: TrackerSurroundings) => Tracker>> = {
  mglru: (surroundings) => {
    const { kernel, clock, capabilities, log, cpuPercent, periodMs } = surroundings;
    const witness = witnessOf(surroundings);
    const mapped = new MappedWitness({ kernel, clock, periodMs, cpuPercent: cpuPercent * mappedShare });
    return new MglruTracker(periodMs, witness, log, promotesAtSecondSight(capabilities) ? mapped : undefined);
  },
  'idle-page': (surroundings) => watched(new IdlePageTracker(surroundings), surroundings),
  damon: (surroundings) => watched(new DamonTracker(surroundings), surroundings),
};

function watched(tracker: Tracker, surroundings: TrackerSurroundings): Tracker {
  return new WatchedTracker(tracker, witnessOf(surroundings), surroundings.log);
}

function witnessOf({ kernel, clock, cpuPercent, periodMs }: TrackerSurroundings): KernelFlagsWitness {
  const { pageFrames } = kernel;
  return new KernelFlagsWitness({ pageFrames, clock, periodMs, cpuPercent: cpuPercent * witnessShare });
}
