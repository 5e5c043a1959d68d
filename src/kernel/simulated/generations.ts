/** The two kinds of list that MgLRU has. Shared memory is on anon's. */
export type PageType = 'anon' | 'file';

const PAGE_TYPES: readonly PageType[] = ['anon', 'file'];

/** The kernel's bounds on how many generations a memcg has on a node. */
export const MIN_GENERATIONS = 2n;
export const MAX_GENERATIONS = 4n;

/** The generations of one memcg on one node: their numbers and births. Which pages they hold is known by the page sets. */
export class GenerationNumbers {
  /** Each type has its own oldest generation: evicting file leaves anon's where it is. */
  readonly #minSeq: Record<PageType, bigint> = { anon: 0n, file: 0n };
  #maxSeq = MAX_GENERATIONS - 1n;
  readonly #bornMs = new Map<bigint, number>();
  /** When it was last aged: the accessed bits in page tables start from there. */
  agedMs: number;
  /** Page cache that came back since then. The kernel learns from it that pages used through read(2) are in use. */
  refaultedFilePages = 0;

  constructor(nowMs: number) {
    this.agedMs = nowMs;
    for (const seq of this.seqs()) this.#bornMs.set(seq, nowMs);
  }

  /** The older of the two types' oldest: where the listing begins. */
  get minSeq(): bigint {
    return this.#minSeq.anon < this.#minSeq.file ? this.#minSeq.anon : this.#minSeq.file;
  }

  minSeqOf(type: PageType): bigint {
    return this.#minSeq[type];
  }

  /** So many steps below the youngest, but no lower than the type's oldest. */
  below(steps: number | bigint, type: PageType): bigint {
    const seq = this.#maxSeq - BigInt(steps);
    return seq < this.#minSeq[type] ? this.#minSeq[type] : seq;
  }

  get maxSeq(): bigint {
    return this.#maxSeq;
  }

  /** Oldest first. */
  *seqs(): Generator<bigint> {
    for (let seq = this.minSeq; seq <= this.#maxSeq; seq++) yield seq;
  }

  bornMs(seq: bigint): number {
    const bornMs = this.#bornMs.get(seq);
    if (bornMs === undefined) throw new RangeError(`There is no generation ${seq}.`);
    return bornMs;
  }

  /** The kernel does not evict the two youngest. */
  mayEvict(seq: bigint): boolean {
    return seq + MIN_GENERATIONS <= this.#maxSeq;
  }

  /** Makes a new youngest generation. Answers what now has to be folded into the next, by type: the oldest of five. */
  add(nowMs: number): { readonly type: PageType; readonly seq: bigint }[] {
    this.#maxSeq++;
    this.#bornMs.set(this.#maxSeq, nowMs);
    this.agedMs = nowMs;
    this.refaultedFilePages = 0;
    return PAGE_TYPES.filter((type) => this.#maxSeq - this.#minSeq[type] >= MAX_GENERATIONS).map((type) => ({
      type,
      seq: this.#dropOldest(type),
    }));
  }

  /** Forgets the oldest generations of a type that hold nothing, as the kernel does when it evicts that type. */
  dropEmpty(type: PageType, holdsPages: (seq: bigint) => boolean): void {
    while (this.mayEvict(this.#minSeq[type]) && !holdsPages(this.#minSeq[type])) this.#dropOldest(type);
  }

  #dropOldest(type: PageType): bigint {
    const dropped = this.#minSeq[type]++;
    if (dropped < this.minSeq) this.#bornMs.delete(dropped);
    return dropped;
  }
}
