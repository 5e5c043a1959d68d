import type { MemoryInterface, SwapInterface } from '../kernel.js';
import type { MemoryStat } from '../memory-stat.js';
import type { SwapDevice } from '../swaps.js';
import { PAGE_BYTES } from './bytes.js';
import { roomBytes, swapRoomPages, swapUsedPages } from './charges.js';
import type { Faults } from './faults.js';
import type { MemcgEvents, SimulatedMemcg } from './memcg.js';
import type { PageSet } from './page-set.js';
import type { World } from './world.js';

/** memory.stat, charges and limits of the simulated machine. */
export class SimulatedMemory implements MemoryInterface {
  constructor(
    private readonly world: World,
    private readonly faults: Faults,
    private readonly cgroupVersion: 1 | 2,
    private readonly vmSwappiness: () => number,
  ) {}

  async stat(path: string): Promise<MemoryStat> {
    return this.statNow(path, 'own');
  }

  statNow(path: string, scope: 'own' | 'tree'): MemoryStat {
    this.faults.meet('stat');
    const memcg = this.#settled(path);
    const includesDescendants = this.cgroupVersion === 2 || scope === 'tree';
    const counted = includesDescendants ? memcg.subtree() : [memcg];
    const bytes = { anon: 0, file: 0, shmem: 0, fileDirty: 0, youngAnon: 0, oldAnon: 0, mlocked: 0 };
    for (const { sets } of counted)
      for (const set of sets) {
        const { type, shmem, dirty } = set.nature;
        const resident = set.residentPages * PAGE_BYTES;
        bytes[type === 'file' || shmem ? 'file' : 'anon'] += resident;
        if (shmem) bytes.shmem += resident;
        if (type === 'file' && dirty) bytes.fileDirty += resident;
        if (set.mlocked) bytes.mlocked += resident;
        else if (type === 'anon') {
          const young = this.#youngPages(set) * PAGE_BYTES;
          bytes.youngAnon += young;
          bytes.oldAnon += resident - young;
        }
      }
    const events = (of: keyof MemcgEvents): number => counted.reduce((sum, below) => sum + below.events[of], 0);
    return {
      anonBytes: bytes.anon,
      fileBytes: bytes.file,
      swapCachedBytes: 0,
      writebackBytes: 0,
      shmemBytes: bytes.shmem,
      fileDirtyBytes: bytes.fileDirty,
      inactiveAnonBytes: bytes.oldAnon,
      activeAnonBytes: bytes.youngAnon,
      unevictableBytes: bytes.mlocked,
      slabReclaimableBytes: counted.reduce((sum, below) => sum + below.slabReclaimableBytes, 0),
      refaultFilePages: events('refaultFilePages'),
      refaultAnonPages: events('refaultAnonPages'),
      stealPages: this.cgroupVersion === 2 ? events('stealPages') : undefined,
      zswapOutPages: this.cgroupVersion === 2 ? events('zswapOutPages') : undefined,
      zswapInPages: this.cgroupVersion === 2 ? events('zswapInPages') : undefined,
      zswapWrittenBackPages: this.world.behaviour.zswapMakesRoom ? events('zswapWrittenBackPages') : undefined,
      includesDescendants,
    };
  }

  /** Pages of a set in the two youngest generations, which the kernel calls active. */
  #youngPages(set: PageSet): number {
    const { maxSeq } = set.memcg.on(set.nature.node);
    return set.count((place) => place.kind === 'memory' && place.seq + 1n >= maxSeq);
  }

  async room(path: string): Promise<number> {
    return roomBytes(this.#settled(path));
  }

  async swapUsed(path: string): Promise<number> {
    return swapUsedPages(this.#settled(path)) * PAGE_BYTES;
  }

  async swapRoom(path: string): Promise<number> {
    const memcg = this.#settled(path);
    return swapRoomPages(this.world.devices, memcg) * PAGE_BYTES;
  }

  async swappiness(path: string): Promise<number> {
    const memcg = this.world.tree.live(path);
    return (this.cgroupVersion === 1 ? memcg.swappiness : undefined) ?? this.vmSwappiness();
  }

  #settled(path: string): SimulatedMemcg {
    const memcg = this.world.tree.live(path);
    this.world.settle();
    return memcg;
  }
}

/** /proc/swaps of the simulated machine. */
export class SimulatedSwap implements SwapInterface {
  constructor(
    private readonly world: World,
    private readonly faults: Faults,
  ) {}

  async devices(): Promise<SwapDevice[]> {
    this.faults.meet('devices');
    this.world.settle();
    return this.world.devices.map((device) => ({
      name: device.name,
      type: 'partition',
      sizeBytes: device.sizePages * PAGE_BYTES,
      usedBytes: device.usedPages * PAGE_BYTES,
      priority: device.priority,
    }));
  }
}
