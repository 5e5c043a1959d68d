import type { Memcg } from '../kernel/kernel.js';
import { type LruGenMemcg, OFFLINE_ID } from '../kernel/lru-gen.js';
import { birthToleranceMs } from './cohort-history.js';
import { inSlices } from './slices.js';
import type { SeenMemcg } from './tracker.js';

interface Known {
  readonly memcg: Memcg;
  readonly id: string;
  readonly youngestSeq: bigint;
  readonly bornMs: number;
}

/**
 * Which memcg a line of a listing is about. The kernel reuses ids, and another memcg may be made at the path of one that is gone, so identity is the
 * inode; asking for that costs system calls, so it is asked once, and again when id or generations do not go on from what was listed before.
 */
export class Identities {
  #known = new Map<string, Known>();

  constructor(private readonly memcgAt: (path: string) => Memcg | undefined) {}

  /** The live memcgs of a listing, in its order. `extra` adds what is known of each. */
  async identify(
    listed: readonly LruGenMemcg[],
    atMs: number,
    quietUntilMs: (listed: LruGenMemcg) => number | undefined = () => undefined,
  ): Promise<SeenMemcg[]> {
    const known = new Map<string, Known>();
    const seen = new Map<string, SeenMemcg>();
    await inSlices(listed, (one) => {
      if (one.id === OFFLINE_ID) return;
      const youngest = one.nodes[0]?.generations.at(-1);
      const before = this.#known.get(one.path);
      const memcg = before && goesOn(before, one, atMs) ? before.memcg : this.memcgAt(one.path);
      if (!memcg) return;
      const youngestSeq = youngest?.seq ?? -1n;
      const same = before?.memcg === memcg && before.youngestSeq === youngestSeq;
      const bornMs = atMs - (youngest?.ageMs ?? 0);
      known.set(one.path, same ? before : { memcg, id: one.id, youngestSeq, bornMs });
      const quiet = quietUntilMs(one);
      seen.set(one.path, { memcg, listed: one, ...(quiet !== undefined && { quietUntilMs: quiet }) });
    });
    this.#known = known;
    return [...seen.values()];
  }
}

function goesOn(before: Known, { id, nodes }: LruGenMemcg, atMs: number): boolean {
  if (before.id !== id) return false;
  const generations = nodes[0]?.generations ?? [];
  const shared = generations.find(({ seq }) => seq === before.youngestSeq);
  return shared !== undefined && Math.abs(atMs - shared.ageMs - before.bornMs) < birthToleranceMs;
}
