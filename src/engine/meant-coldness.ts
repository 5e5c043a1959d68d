import { type AgingIntervals, agingIntervalMs } from './coldness.js';
import { coldnessOfFlags, type GlobalControls, type MemcgControlTable, modeBits } from './controls.js';

/** What the intervals between agings depend on beside the controls. */
export interface MeantColdnessSurroundings {
  scanPeriodMs(): number;
  /** What the autopilot needs, at this moment; 0 where it does nothing. */
  autopilotIntervals(): AgingIntervals;
}

/** The coldness that memcgs are meant for, by their flags and by the last threshold written, and the aging that it takes. */
export class MeantColdness {
  #byPath = new Map<string, { readonly flags: number; readonly last: number }>();

  constructor(
    private readonly global: Readonly<GlobalControls>,
    private readonly controls: MemcgControlTable,
    private readonly surroundings: MeantColdnessSurroundings,
  ) {}

  /** Reads the controls anew: they have changed. */
  read(): void {
    this.#byPath = new Map();
    for (const { memcg, controls } of this.controls.entries()) {
      const flags = coldnessOfFlags(controls.flags);
      const last = controls.lastAgePeriods;
      if (flags > 0 || last > 0) this.#byPath.set(memcg.path, { flags, last });
    }
  }

  /**
   * The time between two agings, as the controls are at this moment. The coldness that a memcg is meant for by its flags rules; else the slower of what the
   * last threshold and the autopilot need, because the kernel's four generations reach no further back than three of them.
   */
  agingIntervals(): AgingIntervals {
    const scanPeriodMs = this.surroundings.scanPeriodMs();
    const forMostMs = this.#thresholdIntervalMs(this.global.agePeriods);
    const forAutopilotMs = this.surroundings.autopilotIntervals();
    return (path, node) => {
      const meant = this.#byPath.get(path);
      if (meant?.flags) return agingIntervalMs(scanPeriodMs, meant.flags);
      return Math.max(meant ? this.#thresholdIntervalMs(meant.last) : forMostMs, forAutopilotMs(path, node));
    };
  }

  /** The oldest border is to prove threshold_nonrot as well, as far as the younger one still proves the threshold at once. */
  #thresholdIntervalMs(agePeriods: number): number {
    const periodMs = this.surroundings.scanPeriodMs();
    const intervalMs = agingIntervalMs(periodMs, agePeriods);
    const { mode, nonrotAgePeriods } = this.global;
    if (!(mode & modeBits.anon) || nonrotAgePeriods === 0) return intervalMs;
    return Math.max(intervalMs, Math.min(agingIntervalMs(periodMs, nonrotAgePeriods + 1), agePeriods * periodMs));
  }
}
