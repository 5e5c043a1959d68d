import type { Looks } from './looks.js';
import { oldestAge } from './looks.js';
import type { IdleCohort, ReadPageCache } from './tracker.js';

/** Fewer sampled pages of a memcg say nothing of the others. */
const fewestSampled = 32;

/** What a sample of a memcg's page cache showed in one look. */
export class ReadTally {
  #sampled = 0;
  #mapped = 0;
  readonly #byRead = new Uint32Array(oldestAge + 1);
  readonly #byArrival = new Uint32Array(oldestAge + 1);

  /** A page that nothing is known of but that it is page cache. */
  addOther(): void {
    this.#sampled++;
  }

  /** A page that page tables map. */
  addMapped(): void {
    this.#sampled++;
    this.#mapped++;
  }

  /** A page that was read again; ages in looks. */
  addRead(readAge: number, arrivalAge: number): void {
    this.#sampled++;
    this.#byRead[readAge]!++;
    this.#byArrival[arrivalAge]!++;
  }

  /** How much of the memcg's page cache of `filePages` in all is mapped; undefined where the sample is too small to tell. */
  mappedPages(filePages: number): number | undefined {
    return this.#sampled < fewestSampled ? undefined : Math.round((filePages * this.#mapped) / this.#sampled);
  }

  /** The memcg's page cache of `filePages` in all as the sample has it; undefined where that is too small to tell. */
  inPages(filePages: number, looks: Looks): ReadPageCache | undefined {
    if (this.#sampled < fewestSampled) return undefined;
    const scale = filePages / this.#sampled;
    return { byRead: cohorts(this.#byRead, scale, looks), byArrival: cohorts(this.#byArrival, scale, looks) };
  }
}

function cohorts(counts: Uint32Array, scale: number, looks: Looks): IdleCohort[] {
  const found: IdleCohort[] = [];
  for (const [age, count] of counts.entries())
    if (count > 0) found.push({ type: 'file', pages: Math.round(count * scale), ...looks.idleMs(age) });
  return found;
}

/**
 * File cohorts of generations, in which page cache sits by its arrival whatever was read since, with what was read put where it
 * belongs. The total stays: what was read is taken from the cohorts it came with, else from the oldest ones.
 */
export function withReads(cohorts: readonly IdleCohort[], { byRead, byArrival }: ReadPageCache): IdleCohort[] {
  if (byRead.length === 0) return cohorts.filter(({ pages }) => pages > 0);
  const left = cohorts.map((cohort) => ({ ...cohort }));
  const oldestFirst = [...left].sort((a, b) => b.idleAtLeastMs - a.idleAtLeastMs || b.idleAtMostMs - a.idleAtMostMs);
  let taken = 0;
  const take = (from: { pages: number }, wanted: number): number => {
    const pages = Math.min(from.pages, wanted);
    from.pages -= pages;
    taken += pages;
    return wanted - pages;
  };
  for (const arrival of byArrival) {
    let wanted = arrival.pages;
    for (const cohort of oldestFirst) if (wanted > 0 && couldHaveCome(cohort, arrival)) wanted = take(cohort, wanted);
    for (const cohort of oldestFirst) if (wanted > 0) wanted = take(cohort, wanted);
  }
  const read = byRead.reduce((sum, { pages }) => sum + pages, 0);
  const moved = byRead.map((cohort) => ({ ...cohort, pages: Math.floor((cohort.pages * taken) / read) }));
  const [youngest] = moved;
  if (youngest) youngest.pages += taken - moved.reduce((sum, { pages }) => sum + pages, 0);
  return [...left, ...moved].filter(({ pages }) => pages > 0);
}

/** Whether pages that came in so long ago can be in a cohort of generations that long unused. */
function couldHaveCome(cohort: IdleCohort, arrival: IdleCohort): boolean {
  return cohort.idleAtLeastMs <= arrival.idleAtMostMs && cohort.idleAtMostMs >= arrival.idleAtLeastMs;
}
