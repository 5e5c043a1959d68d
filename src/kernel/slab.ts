/** Dentries and inodes that nothing holds, which the kernel keeps for the next look-up: reclaimable slab. It knows no ages of them. */
export interface SlabInterface {
  /** Why the caches of one memcg cannot be shrunk here; undefined when they can (CONFIG_SHRINKER_DEBUG). */
  obstacle(): string | undefined;
  /** What could be freed now, of every memcg. Throws KERNEL_REFUSED. */
  caches(): Promise<SlabCache[]>;
  /** Has the kernel look at `objects` more of a cache on one node: it frees those that were not used since it looked last. Throws KERNEL_REFUSED. */
  shrink(cache: SlabCache, node: number, objects: number): Promise<void>;
  /** Frees those of all memcgs, as far as nothing holds them (/proc/sys/vm/drop_caches). Throws KERNEL_REFUSED. */
  dropAll(): Promise<void>;
  /** Bytes of reclaimable slab of a memcg and its descendants; of the machine for the root; 0 for the others on cgroup v1, which does not say. Throws MEMCG_GONE. */
  reclaimableBytes(path: string): Promise<number>;
}

/** The dentries and inodes of one memcg in one mounted file system. */
export interface SlabCache {
  /** The kernel's name of its shrinker, such as sb-ext4:vda1-36. */
  readonly shrinker: string;
  readonly memcgInode: bigint;
  readonly objectsByNode: readonly number[];
}

const ROW = /^(\d{1,20})((?: \d{1,20})+)$/gm;

/** Parses a shrinker's `count` (mm/shrinker_debug.c): `inode objects_on_node_0 objects_on_node_1 ...` a line. Never throws; other lines are left out. */
export function parseShrinkerCount(shrinker: string, text: string): SlabCache[] {
  return Array.from(text.matchAll(ROW), ([, inode = '0', counts = '']) => ({
    shrinker,
    memcgInode: BigInt(inode),
    objectsByNode: counts.trim().split(' ').map(Number),
  }));
}
