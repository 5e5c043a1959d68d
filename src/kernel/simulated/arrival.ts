import { MIN_GENERATIONS, type GenerationNumbers } from './generations.js';
import type { PageSetNature } from './page-set.js';
import type { ReleaseBehaviour } from './release.js';

/** Where pages that come into memory start. */
export interface Arrival {
  /**
   * Models lru_gen_add_folio (measured): page cache that read(2) brings in, for the first time or back, starts in one of the oldest
   * generations, though it was used just now. Else everything starts in the youngest.
   */
  readonly newCacheIsOld: boolean;
  readonly behaviour: ReleaseBehaviour;
}

/** The generation in which pages start that come into memory now. */
export function arrivalSeq(
  { newCacheIsOld, behaviour }: Arrival,
  { type, access }: Pick<PageSetNature, 'type' | 'access'>,
  generations: GenerationNumbers,
): bigint {
  const { maxSeq } = generations;
  if (!newCacheIsOld || type === 'anon' || access === 'mapped') return maxSeq;
  const minSeq = generations.minSeqOf(type);
  if (behaviour.newCacheStartsOldest || minSeq + MIN_GENERATIONS >= maxSeq) return minSeq;
  return minSeq + 1n;
}
