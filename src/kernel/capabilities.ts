/** What this machine can do, found once at start. Each field is something a user may have to know. */
export interface Capabilities {
  readonly kernelRelease: string;
  readonly cgroupVersion: 1 | 2;
  readonly cgroupRoot: string;
  /** absent: not built in; off: built in, disabled; on; locked: commands are refused (lockdown, or debugfs out of reach). */
  readonly lruGen: 'absent' | 'off' | 'on' | 'locked';
  /** Anon can be evicted alone (swappiness `max`, 6.16+); before, at swappiness 200, the kernel may turn to file when anon is exhausted. */
  readonly anonOnlyEviction: boolean;
  readonly memoryReclaim: boolean;
  readonly swapBytes: number;
  readonly zswap: 'absent' | 'off' | 'on';
  readonly psi: boolean;
  readonly nodes: readonly number[];
}
