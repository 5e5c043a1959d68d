import type { Memcg, MemcgInterface } from '../kernel.js';
import type { SimulatedMemcg } from './memcg.js';
import type { World } from './world.js';

/** The hierarchy as the engine sees it: live memcgs only. */
export class SimulatedMemcgs implements MemcgInterface {
  constructor(
    private readonly world: World,
    private readonly ownPath: string,
    private readonly cgroupVersion: 1 | 2,
  ) {}

  at(path: string): Memcg | undefined {
    const memcg = this.world.tree.at(path);
    return memcg && faceOf(memcg);
  }

  has(path: string): boolean {
    return this.world.tree.at(path) !== undefined;
  }

  childNames(path: string): string[] {
    const children = this.world.tree.at(path)?.children ?? [];
    return children.filter(({ online }) => online).map(({ name }) => name);
  }

  async list(): Promise<Memcg[]> {
    return this.world.tree.root
      .subtree()
      .filter(({ online }) => online)
      .map(faceOf);
  }

  async tasks(path: string): Promise<number[]> {
    return [...this.world.tree.live(path).tasks];
  }

  /** As on the real kernel: counters of cgroup v1 are in another hierarchy. */
  async cpuUsageUs(path: string): Promise<number | undefined> {
    const memcg = this.world.tree.live(path);
    this.world.settle();
    if (this.cgroupVersion === 1) return undefined;
    return memcg.subtree().reduce((sum, below) => sum + below.cpuUsageUs, 0);
  }

  own(): string {
    return this.ownPath;
  }
}

function faceOf({ path, inode }: SimulatedMemcg): Memcg {
  return { path, inode };
}
