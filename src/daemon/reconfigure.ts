import type { Engine } from '../engine/engine.js';
import type { LaunchChange } from './launch.js';

/** Applies a changed configuration to a running engine, all or nothing. Throws NO_PRESSURE, BAD_VALUE; then nothing was changed. */
export function reconfigure(engine: Engine, { scanPeriod, autopilot }: LaunchChange): void {
  const { autopilot: memcg, compactor } = engine;
  const before = memcg.settings;
  const { overrides } = memcg;
  memcg.change({ settings: autopilot.memcg, ...(autopilot.overrides && { overrides: autopilot.overrides }) });
  try {
    compactor.change(autopilot.compact);
  } catch (failure) {
    memcg.change({ settings: before, overrides });
    throw failure;
  }
  if (scanPeriod !== undefined) engine.setScanPeriod(scanPeriod);
}
