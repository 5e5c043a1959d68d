import type { PageType } from './generations.js';
import type { SimulatedMemcg } from './memcg.js';
import type { SimulatedSwapDevice } from './swap-devices.js';

/** Pages in memory, in a generation. Those that were swapped in may keep their slot: the swap cache. */
export interface InMemory {
  readonly kind: 'memory';
  readonly seq: bigint;
  readonly slot?: SimulatedSwapDevice;
}

/** Where pages are: in memory, in a slot of swap, or only in their file. */
export type Place =
  | InMemory
  | { readonly kind: 'swap'; readonly slot: SimulatedSwapDevice; readonly compressed: boolean }
  | { readonly kind: 'storage' };

/** The swap slot that pages in this place hold, if any. */
export function slotOf(place: Place): SimulatedSwapDevice | undefined {
  return place.kind === 'storage' ? undefined : place.slot;
}

/** Neighbouring pages of a set that are in the same place. `first` is an index in the set. */
export interface Run {
  readonly first: number;
  readonly pages: number;
  readonly place: Place;
}

/** What a set of pages is and how it is used. */
export interface PageSetNature {
  readonly type: PageType;
  readonly pages: number;
  readonly node: number;
  /** `mapped`: uses show in page tables; `read`: through read(2), which an aging does not see. */
  readonly access: 'mapped' | 'read';
  readonly dirty: boolean;
  readonly shmem: boolean;
  /** Share (0 to 1) of a mapped set that the aging walk does not see although it is used: large folios on 7.2. */
  readonly missedByWalk: number;
  /** The process and address of anonymous memory. */
  readonly mapping?: { readonly pid: number; readonly address: number };
}

/**
 * Pages of one memcg and node that are used alike, all at the same moments. What happens to some of them splits the set into runs:
 * a gigabyte costs as little as a page.
 */
export class PageSet {
  #runs: Run[];
  #touchEveryMs: number | undefined;
  #touchingSinceMs: number;
  #touchedMs = Number.NEGATIVE_INFINITY;

  constructor(
    readonly nature: PageSetNature,
    /** The memcg it is charged to. */
    public memcg: SimulatedMemcg,
    seq: bigint,
    nowMs: number,
    touchEveryMs: number | undefined,
    public mlocked = false,
  ) {
    this.#runs = [{ first: 0, pages: nature.pages, place: { kind: 'memory', seq } }];
    this.#touchingSinceMs = nowMs;
    this.#touchEveryMs = touchEveryMs;
  }

  get runs(): readonly Run[] {
    return this.#runs;
  }

  get residentPages(): number {
    return this.count(({ kind }) => kind === 'memory');
  }

  get swappedPages(): number {
    return this.count(({ kind }) => kind === 'swap');
  }

  /** Pages that were evicted to where they came from: their file. */
  get droppedPages(): number {
    return this.count(({ kind }) => kind === 'storage');
  }

  count(where: (place: Place) => boolean): number {
    return this.#runs.reduce((sum, run) => sum + (where(run.place) ? run.pages : 0), 0);
  }

  /** When its pages were last used up to `nowMs`; -Infinity when never since they came. */
  lastTouchMs(nowMs: number): number {
    if (this.#touchEveryMs === undefined) return this.#touchedMs;
    const touches = Math.floor((nowMs - this.#touchingSinceMs) / this.#touchEveryMs);
    return Math.max(this.#touchedMs, this.#touchingSinceMs + touches * this.#touchEveryMs);
  }

  /** Uses every page now. The machine settles what follows. */
  touch(nowMs: number): void {
    this.#touchedMs = nowMs;
  }

  /** From now on used every so many milliseconds, the first time after one of them; `undefined`: no more. */
  touchEvery(everyMs: number | undefined, nowMs: number): void {
    this.#touchedMs = this.lastTouchMs(nowMs);
    this.#touchingSinceMs = nowMs;
    this.#touchEveryMs = everyMs;
  }

  /** Its pages are no more: unmapped, or of a file that was deleted. */
  free(): void {
    for (const run of this.#runs) charge(run.place, -run.pages);
    this.#runs = [];
    this.memcg.sets.delete(this);
  }

  /** Puts pages [first, first + pages) of the set in another place. */
  move(first: number, pages: number, place: Place): void {
    const end = first + pages;
    const moved: Run[] = [];
    for (const run of this.#runs) {
      const runEnd = run.first + run.pages;
      const from = Math.max(run.first, first);
      const to = Math.min(runEnd, end);
      if (from < to) {
        charge(run.place, from - to);
        charge(place, to - from);
      }
      append(moved, run.first, Math.min(runEnd, first), run.place);
      append(moved, from, to, place);
      append(moved, Math.max(run.first, end), runEnd, run.place);
    }
    this.#runs = moved;
  }
}

function charge(place: Place, pages: number): void {
  const slot = slotOf(place);
  if (slot) slot.usedPages += pages;
}

function append(runs: Run[], first: number, end: number, place: Place): void {
  if (end <= first) return;
  const last = runs.at(-1);
  if (last && samePlace(last.place, place)) runs[runs.length - 1] = { ...last, pages: end - last.first };
  else runs.push({ first, pages: end - first, place });
}

function samePlace(one: Place, other: Place): boolean {
  if (one.kind === 'memory') return other.kind === 'memory' && one.seq === other.seq && one.slot === other.slot;
  if (one.kind === 'swap')
    return other.kind === 'swap' && one.slot === other.slot && one.compressed === other.compressed;
  return other.kind === 'storage';
}
