import type { MemoryReclaimInterface, ReclaimedTypes } from '../memory-reclaim.js';
import { PAGE_BYTES } from './bytes.js';
import { Eviction } from './eviction.js';
import type { Faults } from './faults.js';
import type { SimulatedMemcg } from './memcg.js';
import type { World } from './world.js';

/** memory.reclaim of the simulated machine: removed memcgs first, as the kernel does it, then the others. */
export class SimulatedMemoryReclaim implements MemoryReclaimInterface {
  readonly holdsTo: readonly ReclaimedTypes[];

  constructor(
    private readonly world: World,
    private readonly faults: Faults,
    cgroupVersion: 1 | 2,
  ) {
    const { reclaimHoldsToFile, anonOnlyEviction } = world.behaviour;
    if (cgroupVersion === 1) this.holdsTo = [];
    else
      this.holdsTo = [
        'both',
        ...(reclaimHoldsToFile ? ['file' as const] : []),
        ...(anonOnlyEviction ? ['anon' as const] : []),
      ];
  }

  async reclaim(path: string, bytes: number, types: ReclaimedTypes): Promise<void> {
    this.faults.meet('reclaim');
    const top = this.world.tree.live(path);
    const nowMs = this.world.settle();
    const below = top.subtree();
    let left = Math.ceil(bytes / PAGE_BYTES);
    for (const memcg of [...below.filter(({ online }) => !online), ...below.filter(({ online }) => online)])
      for (const type of types === 'both' ? (['file', 'anon'] as const) : [types])
        if (left > 0) left -= this.#evict(memcg, type, left, nowMs);
  }

  #evict(memcg: SimulatedMemcg, type: 'file' | 'anon', pages: number, nowMs: number): number {
    return memcg.generations.reduce(
      (freed, { maxSeq }, node) =>
        freed >= pages ? freed : freed + new Eviction(this.world, memcg, node, maxSeq, nowMs).run(type, pages - freed),
      0,
    );
  }
}
