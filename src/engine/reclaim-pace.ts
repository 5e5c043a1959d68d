/** How careful a run is. The defaults are measured (docs/precision.md). */
export interface ReclaimPace {
  /** No eviction sooner than this after an aging: use since then must have shown. */
  readonly graceMs: number;
  /** Nor sooner than this after the kernel moved pages that it spared: page cache must be read five times before it is spared again. */
  readonly sparedGraceMs: number;
  readonly probePages: number;
  readonly probeWaitMs: number;
  /** Probes at most, while pages of them come back. */
  readonly probes: number;
  /** The step of a run that goes slowly. */
  readonly carefulStepPages: number;
  /** The first step where some of the page cache is in use through read(2), and what share of what went so far a later one may be. */
  readonly watchedStepPages: number;
  readonly watchedStepShare: number;
  /** Steps grow to at most so many times the first while nothing comes back: each costs a round trip to the kernel. */
  readonly stepGrowth: number;
  /** How often a run goes after anon that the kernel put among the younger pages, at most. */
  readonly returns: number;
  /** The share of cold anon that must have come back among the younger before it is gone after. */
  readonly returnedShare: number;
}

export const defaultPace: ReclaimPace = {
  graceMs: 1500,
  sparedGraceMs: 2600,
  probePages: 64,
  probeWaitMs: 1000,
  probes: 3,
  carefulStepPages: 1024,
  watchedStepPages: 64,
  watchedStepShare: 0.1,
  stepGrowth: 8,
  returns: 3,
  returnedShare: 0.02,
};
