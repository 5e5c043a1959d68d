import { Engine, type Memcg } from '../../../src/engine/engine.js';
import { defaultEngineSettings, type EngineSettings } from '../../../src/engine/engine-settings.js';
import type { Loan } from '../../../src/engine/borrowed-settings.js';
import type { Clock } from '../../../src/kernel/clock.js';
import { gib } from '../../../src/kernel/simulated/bytes.js';
import { SimulatedClock } from '../../../src/kernel/simulated/clock.js';
import { simulatedMachine, type SimulatedMachine } from '../../../src/kernel/simulated/machine.js';
import type { MachineOptions } from '../../../src/kernel/simulated/machine-options.js';
import { type Log, silentLog } from '../../../src/log.js';

/** Length of a scan period here, in milliseconds. */
export const periodMs = 10_000;

export const pageBytes = 4096;

/** Pages of so many MiB. */
export const pages = (mebibytes: number): number => mebibytes * 256;

/** A signal that nobody aborts. */
export const never = (): AbortSignal => new AbortController().signal;

export type WorldOptions = Partial<MachineOptions> & {
  readonly settings?: Partial<EngineSettings>;
  readonly log?: Log;
  /** The clock that the engine sees, where that is not the machine's. */
  readonly engineClock?: (machineClock: Clock) => Clock;
};

/** A simulated machine with 4 GiB of swap, an engine on it whose aging clock runs, and a clock that only the test moves. */
export async function world({
  settings = {},
  log = silentLog,
  engineClock,
  ...options
}: WorldOptions = {}): Promise<World> {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock, swapBytes: gib(4), ...options });
  const loans: (readonly Loan[])[] = [];
  const engine = new Engine(
    machine.kernel,
    engineClock?.(clock) ?? clock,
    await machine.kernel.capabilities(),
    { ...defaultEngineSettings, scanPeriodMs: periodMs, ...settings },
    { write: (entry) => void loans.push(entry) },
    log,
  );
  void engine.run(never());
  await clock.advance(0);
  return new World(clock, machine, engine, loans);
}

export class World {
  constructor(
    readonly clock: SimulatedClock,
    readonly machine: SimulatedMachine,
    readonly engine: Engine,
    /** What the loan journal was told, entry by entry. */
    readonly loans: readonly (readonly Loan[])[],
  ) {}

  /** The live memcg at a path. */
  at(path: string): Memcg {
    const memcg = this.engine.memcgAt(path);
    if (!memcg) throw new Error(`there is no ${path}`);
    return memcg;
  }

  /** Lets so many scan periods pass. */
  async periods(count: number): Promise<void> {
    await this.clock.advance(count * periodMs);
  }

  /** Means a memcg for a coldness, as a write of its threshold does, and lets so much time pass that any age is proven. */
  async letAge(path: string, agePeriods: number): Promise<void> {
    this.engine.noteColdness(this.at(path), { lastAgePeriods: agePeriods });
    await this.periods(2 * Math.max(2, agePeriods) + 2);
  }

  /** A per-memcg run to its end. */
  reclaim(path: string, agePeriods: number, limitBytes = Infinity, signal = never()): Promise<void> {
    return this.clock.finish(this.engine.reclaimMemcg(this.at(path), agePeriods, limitBytes, signal));
  }

  reclaimAll(agePeriods: number, signal = never()): Promise<void> {
    return this.clock.finish(this.engine.reclaimAll(agePeriods, signal));
  }

  swapIn(path: string, signal = never()): Promise<void> {
    return this.clock.finish(this.engine.swapIn(this.at(path), signal));
  }

  /** What a memcg's own ledger says, in pages. */
  ledger(path: string): Record<string, number> {
    return Object.fromEntries(
      Object.entries(this.engine.ownStats(this.at(path))).map(([row, bytes]) => [row, bytes / pageBytes]),
    );
  }

  /** The problems so far, as coldpgs/errors shows them, but for the time. */
  problems(): string[] {
    return this.engine.problems.latest().map(({ about, sentence }) => `${about}: ${sentence}`);
  }

  setting(file: string): string | undefined {
    return this.machine.settings.text(file);
  }
}

/** A ColdpgsError as the kernel room throws it for a refused command. */
export { refused } from '../../../src/kernel/simulated/refusals.js';
