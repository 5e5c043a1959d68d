import type { Clock } from '../clock.js';
import { arrivalSeq, type Arrival } from './arrival.js';
import { swapIsHalfFull } from './charges.js';
import { MemcgTree } from './memcg-tree.js';
import { type PageSet, type Run, slotOf } from './page-set.js';
import { behaviourOf, type ReleaseBehaviour } from './release.js';
import type { SimulatedSwapDevice } from './swap-devices.js';

/**
 * The state of the simulated machine. Nothing runs in the background: what the sets' rhythms of use would have done meanwhile is made up for
 * by settle(), which everything that looks or acts calls first.
 */
export class World implements Arrival {
  readonly behaviour: ReleaseBehaviour;
  readonly tree: MemcgTree;
  /** Processes that would have been killed because populating would have broken a limit of memory. */
  readonly oomKills: { readonly pid: number; readonly path: string }[] = [];
  zswapEnabled = false;
  #settledMs: number;

  constructor(
    readonly clock: Clock,
    release: string,
    nodes: number,
    /** Highest priority first. */
    readonly devices: SimulatedSwapDevice[],
    readonly newCacheIsOld: boolean,
  ) {
    this.behaviour = behaviourOf(release);
    this.#settledMs = clock.nowMs();
    this.tree = new MemcgTree(this.behaviour, nodes, this.#settledMs);
  }

  /** Brings back the pages that were away when their set was used. Answers the time now. */
  settle(): number {
    const nowMs = this.clock.nowMs();
    if (nowMs === this.#settledMs) return nowMs;
    for (const set of this.tree.root.subtreeSets()) {
      if (set.lastTouchMs(nowMs) <= this.#settledMs) continue;
      set.memcg.cpuUsageUs += 1000;
      this.bringBack(set);
    }
    this.#settledMs = nowMs;
    return nowMs;
  }

  /** A use of every page of the set: those that are away come back. Limits of memory are not looked at: a real kernel would reclaim. */
  bringBack(set: PageSet): void {
    for (const run of set.runs) {
      if (run.place.kind === 'storage') this.#refault(set, run);
      if (run.place.kind === 'swap') this.swapIn(set, run);
    }
  }

  /** Swaps in pages of a set. Their slots are freed only where swap is short; else they stay, as swap cache. */
  swapIn(set: PageSet, { first, pages, place }: Run): void {
    if (place.kind !== 'swap') return;
    const { events } = set.memcg;
    events.refaultAnonPages += pages;
    if (place.compressed) events.zswapInPages += pages;
    const seq = set.memcg.on(set.nature.node).maxSeq;
    const freed = swapIsHalfFull(this.devices, set.memcg);
    set.move(first, pages, freed ? { kind: 'memory', seq } : { kind: 'memory', seq, slot: place.slot });
  }

  /** Takes all swap devices away. What is there comes back to memory, as a use of it would have it, and no page keeps its slot. */
  swapoff(): void {
    for (const set of this.tree.root.subtreeSets()) {
      for (const run of set.runs) this.swapIn(set, run);
      for (const { first, pages, place } of set.runs)
        if (place.kind === 'memory' && slotOf(place)) set.move(first, pages, { kind: 'memory', seq: place.seq });
    }
    this.devices.length = 0;
  }

  #refault(set: PageSet, { first, pages }: Run): void {
    const generations = set.memcg.on(set.nature.node);
    set.move(first, pages, { kind: 'memory', seq: arrivalSeq(this, set.nature, generations) });
    set.memcg.events.refaultFilePages += pages;
    generations.refaultedFilePages += pages;
  }
}
