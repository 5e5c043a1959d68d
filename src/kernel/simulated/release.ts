import { isAtLeast, parseKernelRelease } from '../kernel-release.js';

/** How lru_gen behaves by kernel release (source, and measured on 6.12 and 7.2). */
export interface ReleaseBehaviour {
  /** 7.0+: a memcg's id in lru_gen is its inode. Before, a small number that is given again after an rmdir. */
  readonly idIsInode: boolean;
  /** 7.0+: pages of a removed memcg go to its parent. Before, it stays listed with id 0 while it has pages. */
  readonly removedPagesGoToParent: boolean;
  /** 6.14+: '+' ages also when its max_gen_nr is behind. Before, such a command does nothing and says nothing. */
  readonly staleAgingAges: boolean;
  /** 6.14+: page cache that read(2) brings in starts in the oldest generation of four. Before, in the second oldest. */
  readonly newCacheStartsOldest: boolean;
  /** 6.8+: where memory.zswap.max is reached, zswap writes older pages of the memcg to the device and takes the new ones. */
  readonly zswapMakesRoom: boolean;
  /** 6.11+: memory.reclaim takes swappiness=0. */
  readonly reclaimHoldsToFile: boolean;
  /** 6.16+: anon can be evicted alone. Before, the kernel turns to file when the anon of these generations is used up. */
  readonly anonOnlyEviction: boolean;
}

/** The behaviour of a release such as "6.12.0" or "7.2.13-amd64". */
export function behaviourOf(text: string): ReleaseBehaviour {
  const release = parseKernelRelease(text);
  return {
    idIsInode: isAtLeast(release, 7, 0),
    removedPagesGoToParent: isAtLeast(release, 7, 0),
    staleAgingAges: isAtLeast(release, 6, 14),
    newCacheStartsOldest: isAtLeast(release, 6, 14),
    zswapMakesRoom: isAtLeast(release, 6, 8),
    reclaimHoldsToFile: isAtLeast(release, 6, 11),
    anonOnlyEviction: isAtLeast(release, 6, 16),
  };
}
