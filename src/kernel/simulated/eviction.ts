import type { Swappiness } from '../lru-gen.js';
import { isSeenInUse } from './aging.js';
import { deviceFreePages, swapRoomPages } from './charges.js';
import type { PageType } from './generations.js';
import type { SimulatedMemcg } from './memcg.js';
import type { InMemory, PageSet } from './page-set.js';
import type { SimulatedSwapDevice } from './swap-devices.js';
import type { World } from './world.js';

/** The kernel isolates and frees so many pages at a time. */
const BATCH_PAGES = 64;

/** Refaults since the last aging from which on the kernel protects pages used through read(2). */
const LEARNT_REFAULT_PAGES = 64;

/** Neighbouring pages of a set, in one generation. */
interface Portion {
  readonly set: PageSet;
  readonly first: number;
  readonly pages: number;
  readonly place: InMemory;
}

/** One eviction command on one memcg and node, after its arguments were found good. */
export class Eviction {
  constructor(
    private readonly world: World,
    private readonly memcg: SimulatedMemcg,
    private readonly node: number,
    private readonly minSeq: bigint,
    private readonly nowMs: number,
  ) {}

  /** Frees at least `pages` (whole batches) or what there is, oldest generation first. Answers the pages freed. */
  run(swappiness: Swappiness, pages: number): number {
    const whole = Math.ceil(pages / BATCH_PAGES) * BATCH_PAGES;
    const types = typesOf(swappiness, this.world.behaviour.anonOnlyEviction);
    let freed = 0;
    for (const type of types) freed += this.#evict(type, whole - freed);
    for (const type of types)
      this.memcg.on(this.node).dropEmpty(type, (seq) => this.#candidates(type).some(({ place }) => place.seq === seq));
    this.memcg.events.stealPages += freed;
    return freed;
  }

  #evict(type: PageType, wanted: number): number {
    let freed = 0;
    while (freed < wanted) {
      const oldest = this.#oldest(type);
      if (oldest.length === 0) break;
      for (const portion of sample(oldest, wanted - freed)) freed += this.#decide(portion);
    }
    return freed;
  }

  /** What is in the oldest generation that has any of the type, among those the command names. */
  #oldest(type: PageType): Portion[] {
    const candidates = this.#candidates(type);
    const oldestSeq = candidates.reduce((least, { place }) => (place.seq < least ? place.seq : least), this.minSeq);
    return candidates.filter(({ place }) => place.seq === oldestSeq);
  }

  #candidates(type: PageType): Portion[] {
    return [...this.memcg.sets]
      .filter(({ nature, mlocked }) => nature.type === type && nature.node === this.node && !mlocked)
      .flatMap((set) =>
        set.runs.flatMap(({ first, pages, place }) => (place.kind === 'memory' ? [{ set, first, pages, place }] : [])),
      );
  }

  /** Frees a portion, or puts it in a younger generation: every page leaves the generation it was in. Answers the pages freed. */
  #decide({ set, first, pages, place }: Portion): number {
    const generations = this.memcg.on(this.node);
    const youngest = { ...place, seq: generations.maxSeq };
    if (isSeenInUse(set, generations.agedMs, this.nowMs)) {
      set.move(first, pages, youngest);
      return 0;
    }
    if (set.nature.type === 'anon') {
      const freed = this.#swapOut({ set, first, pages, place });
      set.move(first + freed, pages - freed, youngest);
      return freed;
    }
    if (set.nature.dirty || this.#isProtected(set, place.seq)) {
      set.move(first, pages, { ...place, seq: this.minSeq + 1n });
      return 0;
    }
    set.move(first, pages, { kind: 'storage' });
    return pages;
  }

  /** Page cache used through read(2) since its generation was born is kept, once refaults have taught the kernel that it is in use. */
  #isProtected(set: PageSet, seq: bigint): boolean {
    const generations = this.memcg.on(this.node);
    if (set.nature.access !== 'read' || generations.refaultedFilePages < LEARNT_REFAULT_PAGES) return false;
    return set.lastTouchMs(this.nowMs) > generations.bornMs(seq);
  }

  /** Answers the pages that found room. Pages that kept their slot need none. */
  #swapOut({ set, first, pages, place }: Portion): number {
    if (place.slot) {
      set.move(first, pages, { kind: 'swap', slot: place.slot, compressed: false });
      return pages;
    }
    let left = Math.min(pages, swapRoomPages(this.world.devices, this.memcg));
    let out = 0;
    for (const device of this.world.devices) {
      const taken = Math.min(left, deviceFreePages(device));
      this.#store(set, first + out, taken, device);
      out += taken;
      left -= taken;
    }
    return out;
  }

  #store(set: PageSet, first: number, pages: number, slot: SimulatedSwapDevice): void {
    const mayCompress = [...this.memcg.toRoot()].every(({ limits }) => limits['memory.zswap.max'] > 0);
    const inZswap = !this.world.zswapEnabled ? 0 : mayCompress ? pages : this.#writeBack(pages);
    this.memcg.events.zswapOutPages += inZswap;
    set.move(first, inZswap, { kind: 'swap', slot, compressed: true });
    set.move(first + inZswap, pages - inZswap, { kind: 'swap', slot, compressed: false });
  }

  /** Makes room in zswap by writing pages of the memcg that are there to the device. Answers for how many. */
  #writeBack(wanted: number): number {
    let left = this.world.behaviour.zswapMakesRoom ? wanted : 0;
    for (const set of this.memcg.sets)
      for (const { first, pages, place } of [...set.runs]) {
        if (place.kind !== 'swap' || !place.compressed) continue;
        const written = Math.min(left, pages);
        set.move(first, written, { ...place, compressed: false });
        left -= written;
      }
    const writtenPages = this.world.behaviour.zswapMakesRoom ? wanted - left : 0;
    this.memcg.events.zswapWrittenBackPages += writtenPages;
    return writtenPages;
  }
}

/** What the kernel evicts, in its order. */
function typesOf(swappiness: Swappiness, anonOnlyEviction: boolean): readonly PageType[] {
  if (swappiness === 'file') return ['file'];
  return anonOnlyEviction ? ['anon'] : ['anon', 'file'];
}

/** A fair sample of so many pages: inside a generation the order means nothing. */
function sample(portions: readonly Portion[], wantedPages: number): Portion[] {
  const total = portions.reduce((sum, { pages }) => sum + pages, 0);
  const share = Math.min(1, wantedPages / total);
  let left = Math.min(wantedPages, total);
  const fair = portions.map((portion) => {
    const pages = Math.floor(portion.pages * share);
    left -= pages;
    return { portion, pages };
  });
  return fair.map(({ portion, pages }) => {
    const more = Math.min(left, portion.pages - pages);
    left -= more;
    return { ...portion, pages: pages + more };
  });
}
