import type { MemoryInterface, SwapInterface } from '../kernel.js';
import type { MemoryStat } from '../memory-stat.js';
import type { SwapDevice } from '../swaps.js';
import { PAGE_BYTES } from './bytes.js';
import { deviceUsedPages, roomBytes, swapRoomPages, swapUsedPages } from './charges.js';
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
    const counted = includesDescendants ? [...memcg.subtree()] : [memcg];
    const anonIn = (young: boolean) => (set: PageSet) => this.#anonPages(set, young) * PAGE_BYTES;
    const listedAnonBytes = (young: boolean): number => sets.map(anonIn(young)).reduce((sum, bytes) => sum + bytes, 0);
    const sets = counted.flatMap((below) => [...below.sets]);
    const resident = (which: (set: PageSet) => boolean): number =>
      sets.reduce((sum, set) => sum + (which(set) ? set.residentPages * PAGE_BYTES : 0), 0);
    const events = (of: keyof MemcgEvents): number => counted.reduce((sum, below) => sum + below.events[of], 0);
    return {
      anonBytes: resident(({ nature }) => nature.type === 'anon' && !nature.shmem),
      fileBytes: resident(({ nature }) => nature.type === 'file' || nature.shmem),
      swapCachedBytes: 0,
      writebackBytes: 0,
      shmemBytes: resident(({ nature }) => nature.shmem),
      fileDirtyBytes: resident(({ nature }) => nature.type === 'file' && nature.dirty),
      inactiveAnonBytes: listedAnonBytes(false),
      activeAnonBytes: listedAnonBytes(true),
      unevictableBytes: resident(({ mlocked }) => mlocked),
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

  /** Pages of a set on anon's lists, in the two youngest generations (which the kernel calls active) or in the others. */
  #anonPages(set: PageSet, young: boolean): number {
    const { type, node } = set.nature;
    if (type !== 'anon' || set.mlocked) return 0;
    const { maxSeq } = set.memcg.on(node);
    return set.count((place) => place.kind === 'memory' && place.seq + 1n >= maxSeq === young);
  }

  async room(path: string): Promise<number> {
    return roomBytes(this.#settled(path));
  }

  async swapUsed(path: string): Promise<number> {
    return swapUsedPages(this.#settled(path)) * PAGE_BYTES;
  }

  async swapRoom(path: string): Promise<number> {
    const memcg = this.#settled(path);
    return swapRoomPages(this.world.tree.root, this.world.devices, memcg) * PAGE_BYTES;
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
      usedBytes: deviceUsedPages(this.world.tree.root, device) * PAGE_BYTES,
      priority: device.priority,
    }));
  }
}
