/** memory.reclaim (cgroup v2): the kernel chooses what it frees of a memcg and of those below it, removed ones included, which no other command reaches. */
export interface MemoryReclaimInterface {
  /** Which page types it can be held to; `both` is as vm.swappiness has it. None on cgroup v1 and before 5.19. */
  readonly holdsTo: readonly ReclaimedTypes[];
  /** Frees about so many bytes, or fewer when there is no more. Throws MEMCG_GONE, KERNEL_REFUSED. */
  reclaim(path: string, bytes: number, types: ReclaimedTypes): Promise<void>;
}

export type ReclaimedTypes = 'both' | 'file' | 'anon';

/** What is written to memory.reclaim. (swappiness= is known from 6.11 on, the word max from 6.16 on.) */
export function reclaimCommand(bytes: number, types: ReclaimedTypes): string {
  if (types === 'both') return String(bytes);
  return `${bytes} swappiness=${types === 'file' ? '0' : 'max'}`;
}
