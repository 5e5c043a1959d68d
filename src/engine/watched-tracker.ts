import type { Memcg } from '../kernel/kernel.js';
import type { Log } from '../log.js';
import type { ReadLosses } from './read-losses.js';
import {
  type IdleCohort,
  type IdleFrames,
  type ReadWitness,
  type SeenMemcg,
  startedWhereItCan,
  type Tracker,
} from './tracker.js';

/**
 * A tracker with a witness of reads beside it. Of page cache that nobody has mapped runs go by the borders between generations whatever tracker shows ages, and of use through
 * read(2) those say nothing: the witness watches what a run takes of it.
 */
export class WatchedTracker implements Tracker {
  #seen: readonly SeenMemcg[] = [];
  #witness: ReadWitness | undefined;

  constructor(
    private readonly tracker: Tracker,
    private readonly witness: ReadWitness,
    private readonly log: Log,
  ) {}

  get name(): Tracker['name'] {
    return this.tracker.name;
  }

  get readWitness(): string | undefined {
    return this.tracker.readWitness ?? (this.#witness && `${this.#witness.name} (evictions only)`);
  }

  /** Without the witness where the kernel cannot run that. */
  async start(): Promise<void> {
    await this.tracker.start();
    this.#witness = await startedWhereItCan(this.witness, this.log);
  }

  async stop(): Promise<void> {
    await Promise.all([this.tracker.stop(), this.#witness?.stop()]);
  }

  async beforeAgings(atMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#witness?.observe(this.#seen, atMs, signal);
    } finally {
      await this.tracker.beforeAgings?.(atMs, signal);
    }
  }

  async observe(seen: readonly SeenMemcg[], atMs: number, signal: AbortSignal): Promise<void> {
    this.#seen = seen;
    await this.tracker.observe(seen, atMs, signal);
  }

  cohorts(memcg: Memcg): readonly IdleCohort[] {
    return this.tracker.cohorts(memcg);
  }

  async watchReads(memcg: Memcg, idleMs: number): Promise<ReadLosses | undefined> {
    return this.#witness?.watchReads(memcg, idleMs);
  }

  idleFrames(memcg: Memcg, idleMs: number, atMs: number): IdleFrames | undefined {
    return this.tracker.idleFrames?.(memcg, idleMs, atMs);
  }

  forget(): void {
    this.#seen = [];
    this.tracker.forget();
    this.#witness?.forget();
  }
}
