import {
  HAS_ENDED,
  type LockChange,
  type LockChangeOutcome,
  type LockedMemory,
  type MlockInterface,
} from '../mlock.js';
import type { AddressRange } from '../pagemap.js';
import { PAGE_BYTES } from './bytes.js';
import type { PageSet } from './page-set.js';
import type { World } from './world.js';

/** Locks on anonymous memory of the simulated machine. A set is locked as a whole. */
export class SimulatedMlock implements MlockInterface {
  /** Why a process refuses, by its id; a test fills it. */
  readonly refusals = new Map<number, string>();

  constructor(private readonly world: World) {}

  obstacle(): string | undefined {
    return undefined;
  }

  prepare(): void {
    return;
  }

  close(): void {
    return;
  }

  lockedMemory(pid: number): Promise<LockedMemory | undefined> {
    const ranges = this.#sets(pid).flatMap((set) => (set.mlocked ? [{ ...rangeOf(set), kind: 'anon' as const }] : []));
    const identity = { pid, startTicks: String(pid), stackStart: '1' };
    return Promise.resolve(ranges.length > 0 ? { identity, ranges } : undefined);
  }

  presentBytes(pid: number, ranges: readonly AddressRange[]): Promise<number> {
    const sets = this.#sets(pid).filter((set) => ranges.some((range) => isIn(range, set)));
    return Promise.resolve(sets.reduce((sum, set) => sum + set.residentPages * PAGE_BYTES, 0));
  }

  /** What is unlocked goes to the second youngest generation, seen as in use: its page table entries were never looked at before. */
  change({ identity, to, ranges }: LockChange): Promise<LockChangeOutcome> {
    const nowMs = this.world.settle();
    const refusal = this.refusals.get(identity.pid);
    const sets = this.#sets(identity.pid).filter((set) => ranges.some((range) => isIn(range, set)));
    if (refusal !== undefined || sets.length === 0)
      return Promise.resolve({ changedBytes: 0, stopsMs: [], refusal: refusal ?? HAS_ENDED });
    for (const set of sets) {
      set.mlocked = to === 'locked';
      if (set.mlocked) continue;
      const seq = set.memcg.on(set.nature.node).below(1, 'anon');
      for (const { first, pages, place } of set.runs)
        if (place.kind === 'memory') set.move(first, pages, { ...place, seq });
      if (set.lastTouchMs(nowMs) === Number.NEGATIVE_INFINITY) set.touch(nowMs);
    }
    const changedBytes = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
    return Promise.resolve({ changedBytes, stopsMs: [1], refusal: undefined });
  }

  settle(): Promise<void> {
    return Promise.resolve();
  }

  #sets(pid: number): PageSet[] {
    return this.world.tree.root
      .subtree()
      .flatMap(({ sets }) => [...sets])
      .filter(({ nature }) => nature.mapping?.pid === pid);
  }
}

function rangeOf({ nature }: PageSet): AddressRange {
  const start = nature.mapping?.address ?? 0;
  return { start, end: start + nature.pages * PAGE_BYTES };
}

function isIn({ start, end }: AddressRange, set: PageSet): boolean {
  const range = rangeOf(set);
  return range.start >= start && range.end <= end;
}
