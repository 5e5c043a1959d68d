import type { Memcg } from '../kernel/kernel.js';
import { type LruGenMemcg, OFFLINE_ID } from '../kernel/lru-gen.js';
import { birthToleranceMs } from './cohort-history.js';
import { inSlices } from './slices.js';
import type { SeenMemcg } from './tracker.js';

interface Known {
  readonly memcg: Memcg;
  readonly id: string;
  youngestSeq: bigint;
  bornMs: number;
  /** The look that it was seen at last, and its place there. */
  look: number;
  place: number;
}

/**
 * Which memcg a line of a listing is about. The kernel reuses ids, and another memcg may be made at the path of one that is gone, so identity is the
 * inode; asking for that costs system calls, so it is asked once, and again when id or generations do not go on from what was listed before.
 */
export class Identities {
  readonly #known = new Map<string, Known>();
  #look = 0;

  constructor(private readonly memcgAt: (path: string) => Memcg | undefined) {}

  /** The live memcgs of a listing, in its order. `quietUntilMs` tells what is known of each. */
  async identify(
    listed: readonly LruGenMemcg[],
    atMs: number,
    quietUntilMs: (listed: LruGenMemcg) => number | undefined = () => undefined,
  ): Promise<SeenMemcg[]> {
    const look = ++this.#look;
    const seen: SeenMemcg[] = [];
    await inSlices(listed, (one) => {
      if (one.id === OFFLINE_ID) return;
      const known = this.#identify(one, atMs);
      if (!known) return;
      if (known.look !== look) known.place = seen.length;
      known.look = look;
      const { memcg, place } = known;
      const quiet = quietUntilMs(one);
      seen[place] = quiet === undefined ? { memcg, listed: one } : { memcg, listed: one, quietUntilMs: quiet };
    });
    if (seen.length < this.#known.size)
      for (const [path, known] of this.#known) if (known.look !== look) this.#known.delete(path);
    return seen;
  }

  #identify(listed: LruGenMemcg, atMs: number): Known | undefined {
    const { id, path, nodes } = listed;
    const youngest = nodes[0]?.generations.at(-1);
    const youngestSeq = youngest?.seq ?? -1n;
    const bornMs = atMs - (youngest?.ageMs ?? 0);
    const before = this.#known.get(path);
    if (before && goesOn(before, listed, atMs)) {
      // The birth that was seen first counts: a tolerance to the latest would drift.
      if (before.youngestSeq !== youngestSeq) [before.youngestSeq, before.bornMs] = [youngestSeq, bornMs];
      return before;
    }
    const memcg = this.memcgAt(path);
    if (!memcg) return undefined;
    const known = { memcg, id, youngestSeq, bornMs, look: before?.look ?? 0, place: before?.place ?? 0 };
    this.#known.set(path, known);
    return known;
  }
}

function goesOn(before: Known, { id, nodes }: LruGenMemcg, atMs: number): boolean {
  if (before.id !== id) return false;
  const generations = nodes[0]?.generations ?? [];
  const youngest = generations.at(-1);
  const shared =
    youngest?.seq === before.youngestSeq ? youngest : generations.find(({ seq }) => seq === before.youngestSeq);
  return shared !== undefined && Math.abs(atMs - shared.ageMs - before.bornMs) < birthToleranceMs;
}
