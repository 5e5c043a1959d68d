import { parentOf } from '../kernel/lineage.js';

/** The CPU time that the tasks of a memcg and of its descendants had used, and in which round of questions that was read. */
export interface CpuReading {
  readonly usageUs: number;
  readonly round: number;
}

/** A parent's CPU time, and the first round that found it to be this. */
interface Parent extends CpuReading {
  /** The round it was read in last. */
  readonly readIn: number;
}

/** So many siblings that are asked about in one round make it worth to ask their parent first. */
const fewestSiblings = 4;
/** Parents remembered at most; all are forgotten then, which costs a reading of each of their children. */
const mostParents = 1024;

/**
 * CPU time of memcgs, for those who want to know whether a memcg rested: its tasks, and those of its descendants, used none between two readings. What its
 * children used is part of a parent's: while that stands still, one reading of it does for all of them.
 */
export class Resting {
  readonly #parents = new Map<string, Parent>();
  #round = 0;

  /** `usageUs` answers undefined where the kernel does not say. */
  constructor(private readonly usageUs: (path: string) => Promise<number | undefined>) {}

  /** Begins a round of questions about these memcgs. */
  async begin(paths: readonly string[]): Promise<void> {
    this.#round++;
    if (this.#parents.size > mostParents) this.#parents.clear();
    const children = new Map<string, number>();
    for (const parent of paths.map(parentOf)) children.set(parent, (children.get(parent) ?? 0) + 1);
    for (const [parent, count] of children) if (count >= fewestSiblings) await this.#askParent(parent);
  }

  /** What a memcg has used by now: where it is known to have rested, as much as `before`. undefined where that cannot be known. */
  async read(path: string, before: CpuReading | undefined): Promise<CpuReading | undefined> {
    const parent = this.#parents.get(parentOf(path));
    if (before && parent?.readIn === this.#round && before.round >= parent.round) return before;
    return this.#ask(path);
  }

  async #askParent(path: string): Promise<void> {
    const known = this.#parents.get(path);
    const now = await this.#ask(path);
    if (!now) return;
    this.#parents.set(path, { ...(known?.usageUs === now.usageUs ? known : now), readIn: this.#round });
  }

  async #ask(path: string): Promise<CpuReading | undefined> {
    const usageUs = await this.usageUs(path).catch(() => undefined);
    return usageUs === undefined ? undefined : { usageUs, round: this.#round };
  }
}
