import * as z from 'zod';
import type { Engine } from '../engine/engine.js';
import type { Log } from '../log.js';

const milliseconds = z.int().min(0).max(65_535_000);

/** The scan period in the state file, in milliseconds: as the daemon was launched, and as it was then. */
export const savedScanPeriodSchema = z.strictObject({ launched: milliseconds, now: milliseconds });

type Saved = z.infer<typeof savedScanPeriodSchema>;

export function savedScanPeriod({ settings }: Engine, launchedMs: number): Saved {
  return { launched: launchedMs, now: settings.scanPeriodMs };
}

/** Before the engine runs: a period that was written by hand stays as long as the launch says what it said then. */
export function restoreScanPeriod({ settings }: Engine, launchedMs: number, saved: Saved | undefined, log: Log): void {
  if (!saved || saved.now === launchedMs) return;
  const seconds = { launched: launchedMs / 1000, written: saved.now / 1000 };
  if (saved.launched !== launchedMs) {
    if (saved.now !== saved.launched)
      log.info(seconds, 'coldpgs is launched with another scan period than before: what was written by hand is over');
    return;
  }
  settings.scanPeriodMs = saved.now;
  log.info(seconds, 'the scan period that was written by hand stays');
}
