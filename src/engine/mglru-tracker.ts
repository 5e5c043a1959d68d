import type { Memcg } from '../kernel/kernel.js';
import type { IdleCohort, ReadWitness, SeenMemcg, Tracker } from './tracker.js';

/** Page ages from the births of generations and the history of what was folded into the oldest. */
export class MglruTracker implements Tracker {
  readonly name = 'mglru';

  constructor(private readonly witness?: ReadWitness) {}

  async start(): Promise<void> {
    await this.witness?.start();
  }

  async stop(): Promise<void> {
    await this.witness?.stop();
  }

  async observe(seen: readonly SeenMemcg[], atMs: number, signal: AbortSignal): Promise<void> {
    await this.witness?.observe(seen, atMs, signal);
  }

  cohorts(_memcg: Memcg): readonly IdleCohort[] {
    return [];
  }

  forget(): void {}
}
