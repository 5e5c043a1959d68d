import type { GenerationNumbers } from './generations.js';
import type { PageSet } from './page-set.js';
import { Stall } from './stall.js';

/** Limits of a memcg in bytes; Infinity is the kernel's "max". */
export interface MemcgLimits {
  'memory.max': number;
  'memory.high': number;
  'memory.low': number;
  'memory.min': number;
  'memory.swap.max': number;
  'memory.swap.high': number;
  'memory.zswap.max': number;
}

/** Events since the memcg was made, in pages. Its own only. */
export interface MemcgEvents {
  refaultFilePages: number;
  refaultAnonPages: number;
  stealPages: number;
  zswapOutPages: number;
  zswapInPages: number;
  zswapWrittenBackPages: number;
}

/** A memcg of the model. A removed one stays in the tree, offline: its pages and events still count for its ancestors. */
export class SimulatedMemcg {
  online = true;
  readonly children: SimulatedMemcg[] = [];
  readonly tasks = new Set<number>();
  readonly sets = new Set<PageSet>();
  slabReclaimableBytes = 0;
  /** Stall time of its own tasks. */
  readonly memoryStall = new Stall();
  readonly ioStall = new Stall();
  /** CPU time of its own tasks. */
  cpuUsageUs = 0;
  /** memory.swappiness of cgroup v1; undefined: the machine's. */
  swappiness: number | undefined;
  readonly limits: MemcgLimits = {
    'memory.max': Infinity,
    'memory.high': Infinity,
    'memory.low': 0,
    'memory.min': 0,
    'memory.swap.max': Infinity,
    'memory.swap.high': Infinity,
    'memory.zswap.max': Infinity,
  };
  readonly events: MemcgEvents = {
    refaultFilePages: 0,
    refaultAnonPages: 0,
    stealPages: 0,
    zswapOutPages: 0,
    zswapInPages: 0,
    zswapWrittenBackPages: 0,
  };

  constructor(
    readonly path: string,
    readonly inode: bigint,
    /** As lru_gen prints it. */
    public id: string,
    readonly parent: SimulatedMemcg | undefined,
    /** By node. */
    readonly generations: readonly GenerationNumbers[],
  ) {
    parent?.children.push(this);
  }

  get name(): string {
    return this.path.slice(this.path.lastIndexOf('/') + 1);
  }

  /** Generations on a node. Throws RangeError for a node the machine does not have. */
  on(node: number): GenerationNumbers {
    const generations = this.generations[node];
    if (!generations) throw new RangeError(`The machine has no node ${node}.`);
    return generations;
  }

  child(name: string): SimulatedMemcg | undefined {
    return this.children.find((child) => child.online && child.name === name);
  }

  /** Itself and what is below it, offline memcgs included, parents first: the kernel's order. */
  subtree(found: SimulatedMemcg[] = []): SimulatedMemcg[] {
    found.push(this);
    for (const child of this.children) child.subtree(found);
    return found;
  }

  /** Itself and its ancestors, up to the root. */
  *toRoot(): Generator<SimulatedMemcg> {
    yield this;
    if (this.parent) yield* this.parent.toRoot();
  }

  /** The sets charged to it and to what is below it. */
  subtreeSets(): PageSet[] {
    return this.subtree().flatMap(({ sets }) => [...sets]);
  }
}
