import type { ZswapState } from './zswap.js';

/** What this machine can do, found once at start. Each field is something a user may have to know. */
export interface Capabilities {
  readonly kernelRelease: string;
  readonly cgroupVersion: 1 | 2;
  readonly cgroupRoot: string;
  /**
   * absent: not built in; off: built in, disabled; on; locked: its debugfs file is there but may not be opened for commands
   * (kernel lockdown, or not root); no-debugfs: that file is not there (debugfs is not mounted).
   */
  readonly lruGen: 'absent' | 'off' | 'on' | 'locked' | 'no-debugfs';
  /** Anon can be evicted alone (swappiness `max`, 6.16+); before, at swappiness 200, the kernel may turn to file when anon is exhausted. */
  readonly anonOnlyEviction: boolean;
  readonly memoryReclaim: boolean;
  /** Dentries and inodes of one memcg can be freed (CONFIG_SHRINKER_DEBUG); else only those of all. */
  readonly slabByMemcg: boolean;
  readonly swapBytes: number;
  readonly zswap: ZswapState;
  readonly psi: boolean;
  readonly nodes: readonly number[];
}
