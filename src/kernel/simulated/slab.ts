import type { SlabCache, SlabInterface } from '../slab.js';
import type { Faults } from './faults.js';
import type { SimulatedMemcg } from './memcg.js';
import type { World } from './world.js';

/** A dentry and its inode, about. */
const OBJECT_BYTES = 1024;

/** Dentries and inodes of the simulated machine: all in one file system, on its first node. */
export class SimulatedSlab implements SlabInterface {
  constructor(
    private readonly world: World,
    private readonly faults: Faults,
    private readonly shrinkerDebug: boolean,
  ) {}

  obstacle(): string | undefined {
    return this.shrinkerDebug ? undefined : 'this kernel cannot shrink the caches of one memcg';
  }

  async caches(): Promise<SlabCache[]> {
    this.faults.meet('slab');
    return this.#memcgs()
      .filter(({ slabReclaimableBytes }) => slabReclaimableBytes >= OBJECT_BYTES)
      .map(({ inode, slabReclaimableBytes }) => ({
        shrinker: 'sb-simulated',
        memcgInode: inode,
        objectsByNode: [Math.floor(slabReclaimableBytes / OBJECT_BYTES)],
      }));
  }

  async shrink({ memcgInode }: SlabCache, node: number, objects: number): Promise<void> {
    this.faults.meet('slab');
    const memcg = this.#memcgs().find(({ inode }) => inode === memcgInode);
    if (!memcg || node !== 0) return;
    memcg.slabReclaimableBytes = Math.max(0, memcg.slabReclaimableBytes - objects * OBJECT_BYTES);
  }

  async dropAll(): Promise<void> {
    this.faults.meet('slab');
    for (const memcg of this.#memcgs()) memcg.slabReclaimableBytes = 0;
  }

  async reclaimableBytes(path: string): Promise<number> {
    const memcg = this.world.tree.live(path);
    return memcg.subtree().reduce((sum, { slabReclaimableBytes }) => sum + slabReclaimableBytes, 0);
  }

  #memcgs(): SimulatedMemcg[] {
    return this.world.tree.root.subtree();
  }
}
