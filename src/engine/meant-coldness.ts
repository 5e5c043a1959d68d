import { agingIntervalMs } from './coldness.js';
import { coldnessOfFlags, type GlobalControls, type MemcgControlTable, modeBits } from './controls.js';

/** What the intervals between agings depend on beside the controls. */
export interface MeantColdnessSurroundings {
  scanPeriodMs(): number;
  /** Milliseconds between agings that the autopilot needs of a memcg on a node; undefined where it does nothing. */
  autopilotIntervalMs(path: string, node: number): number | undefined;
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
   * Milliseconds between two agings. The coldness that a memcg is meant for by its flags rules; else the slower of what the last threshold and the
   * autopilot need, because the kernel's four generations reach no further back than three of them.
   */
  agingIntervalMs(path: string, node: number): number {
    const meant = this.#byPath.get(path);
    const scanPeriodMs = this.surroundings.scanPeriodMs();
    if (meant?.flags) return agingIntervalMs(scanPeriodMs, meant.flags);
    const forThresholds = this.#thresholdIntervalMs(meant?.last ?? this.global.agePeriods);
    return Math.max(forThresholds, this.surroundings.autopilotIntervalMs(path, node) ?? 0);
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
