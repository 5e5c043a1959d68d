import type { AgingRefusal, AgingTarget, EvictCommand, LruGenInterface } from '../kernel.js';
import type { Generation, LruGenMemcg } from '../lru-gen.js';
import { age } from './aging.js';
import { PAGE_BYTES, mib } from './bytes.js';
import { Eviction } from './eviction.js';
import type { Faults } from './faults.js';
import type { PageType } from './generations.js';
import type { SimulatedMemcg } from './memcg.js';
import { refused } from './refusals.js';
import type { World } from './world.js';

/** Called around the commands of lru_gen, so that a test can count them or change the world in the middle of a run. */
export interface LruGenHooks {
  beforeAging?: ((target: AgingTarget) => void | Promise<void>) | undefined;
  beforeEviction?: ((command: EvictCommand) => void | Promise<void>) | undefined;
  afterEviction?: ((command: EvictCommand, freedPages: number) => void | Promise<void>) | undefined;
}

/** debugfs lru_gen of the simulated machine. */
export class SimulatedLruGen implements LruGenInterface {
  constructor(
    private readonly world: World,
    private readonly faults: Faults,
    private readonly hooks: LruGenHooks,
    private readonly evictionMsPerMib: number,
  ) {}

  async read(): Promise<LruGenMemcg[]> {
    this.faults.meet('readGenerations');
    const nowMs = this.world.settle();
    return this.#listed().map((memcg) => listing(memcg, nowMs));
  }

  async readOne(path: string): Promise<LruGenMemcg | undefined> {
    this.faults.meet('readGenerations');
    const nowMs = this.world.settle();
    const memcg = this.world.tree.at(path) ?? this.#listed().findLast((removed) => removed.path === path);
    return memcg && listing(memcg, nowMs);
  }

  async age(targets: readonly AgingTarget[]): Promise<AgingRefusal[]> {
    const refusals: AgingRefusal[] = [];
    for (const target of targets) {
      await this.hooks.beforeAging?.(target);
      try {
        this.faults.meet('age');
        this.#age(target);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        refusals.push({ target, error });
      }
    }
    return refusals;
  }

  async evict(command: EvictCommand): Promise<void> {
    await this.hooks.beforeEviction?.(command);
    this.faults.meet('evict');
    this.world.tree.live(command.path);
    const nowMs = this.world.settle();
    const memcg = this.#addressed(command.id, command.node);
    if (!memcg.on(command.node).mayEvict(command.minSeq))
      throw refused('EINVAL', `Generation ${command.minSeq} of memcg ${command.id} is too young to be evicted.`);
    const eviction = new Eviction(this.world, memcg, command.node, command.minSeq, nowMs);
    const freedPages = eviction.run(command.swappiness, command.pages);
    const costMs = ((freedPages * PAGE_BYTES) / mib(1)) * this.evictionMsPerMib;
    if (costMs > 0) await this.world.clock.sleep(costMs);
    await this.hooks.afterEviction?.(command, freedPages);
  }

  #listed(): SimulatedMemcg[] {
    return this.world.tree.root.subtree().filter(isListed);
  }

  #age({ id, path, node, maxSeq }: AgingTarget): void {
    this.world.tree.live(path);
    const nowMs = this.world.settle();
    const memcg = this.#addressed(id, node);
    const newest = memcg.on(node).maxSeq;
    if (maxSeq > newest) throw refused('EINVAL', `Memcg ${id} has no generation ${maxSeq} yet.`);
    if (maxSeq === newest || this.world.behaviour.staleAgingAges) age(memcg, node, nowMs);
  }

  #addressed(id: string, node: number): SimulatedMemcg {
    const memcg = this.world.tree.byId(id);
    if (!memcg || memcg.generations[node] === undefined)
      throw refused('EINVAL', `lru_gen knows no memcg ${id} on node ${node}.`);
    return memcg;
  }
}

/** A removed memcg is listed as long as it has pages in memory. */
function isListed(memcg: SimulatedMemcg): boolean {
  return memcg.online || [...memcg.sets].some((set) => set.residentPages > 0);
}

function listing(memcg: SimulatedMemcg, nowMs: number): LruGenMemcg {
  return {
    id: memcg.id,
    path: memcg.path,
    nodes: memcg.generations.map((generations, node) => ({
      node,
      generations: [...generations.seqs()].map((seq): Generation => ({
        seq,
        ageMs: Math.round(nowMs - generations.bornMs(seq)),
        anonPages: pagesIn(memcg, node, 'anon', seq),
        filePages: pagesIn(memcg, node, 'file', seq),
      })),
    })),
  };
}

/** mlocked pages are in no generation. */
function pagesIn(memcg: SimulatedMemcg, node: number, type: PageType, seq: bigint): number {
  let pages = 0;
  for (const set of memcg.sets)
    if (set.nature.node === node && set.nature.type === type && !set.mlocked)
      pages += set.count((place) => place.kind === 'memory' && place.seq === seq);
  return pages;
}
