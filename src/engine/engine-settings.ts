import type { LockJournal } from './lock-loans.js';
import type { TrackerName } from './tracker.js';

/** How the engine goes about its work; all of it may be set at start (daemon/settings.ts). */
export interface EngineSettings {
  /** Length of a scan period, the unit of thresholds; 0 is off. */
  scanPeriodMs: number;
  /** Whether a per-memcg run also takes the online descendants, as an option; the module skips them. */
  readonly children: 'skip' | 'include';
  /** strict: a memcg is reclaimed only as far as bits 32-34 of its own flags allow, as the module's code has it. */
  readonly flagsGate: 'off' | 'strict';
  /** on: bit 1 of flags, and bit 36 of a memcg's own, let runs take pages of any age, as in the module's 3.0.0. */
  readonly ignoreAge: 'off' | 'on';
  /** Runs side by side on different memcgs. */
  readonly runsAtOnce: number;
  /** Where page ages come from. */
  readonly tracker: TrackerName;
  /** Where locks taken off mlocked memory are noted; undefined where such memory must not be touched. */
  readonly lockJournal?: LockJournal;
  /** Share of one processor that agings and looks may take, in percent. */
  readonly scanCpuPercent: number;
}

export const defaultEngineSettings: EngineSettings = {
  scanPeriodMs: 15_000,
  children: 'skip',
  flagsGate: 'off',
  ignoreAge: 'off',
  runsAtOnce: 4,
  tracker: 'mglru',
  scanCpuPercent: 2,
};
