import { type Generation, hasPages, type LruGenMemcg } from '../kernel/lru-gen.js';
import { pagesUpTo } from './coldness.js';

interface Sample {
  readonly atMs: number;
  readonly generationsByNode: ReadonlyMap<number, readonly Generation[]>;
}

/** Samples kept of one memcg: enough to reach back three intervals at the spacing below. */
const samplesKept = 8;

/**
 * How much page cache was already there, and when. The kernel puts page cache that was just read into one of the oldest
 * generations (lru_gen_add_folio), so a generation border alone does not prove that its file pages are old; that they were
 * counted there long enough ago does.
 */
export class Census {
  readonly #samples = new Map<string, Sample[]>();

  /** Notes the generations of a memcg (keyed by the kernel's id and path), at most every `spacingMs`. One without pages is as one that was not watched. */
  note(memcg: LruGenMemcg, atMs: number, spacingMs: number): void {
    const key = keyOf(memcg);
    if (!hasPages(memcg)) return void this.#samples.delete(key);
    const samples = this.#samples.get(key) ?? [];
    const latest = samples.at(-1);
    if (latest && atMs - latest.atMs < spacingMs) return;
    samples.push({ atMs, generationsByNode: new Map(memcg.nodes.map((one) => [one.node, one.generations])) });
    if (samples.length > samplesKept) samples.shift();
    this.#samples.set(key, samples);
  }

  /**
   * File pages in generations up to `seq` that can have been there for `idleMs` or longer: the fewest that were ever counted
   * there since. 0 when the memcg has not been watched that long.
   */
  filePagesOlderThan(memcg: LruGenMemcg, node: number, seq: bigint, atMs: number, idleMs: number): number {
    const samples = this.#samples.get(keyOf(memcg)) ?? [];
    const oldest = samples.findLastIndex((sample) => sample.atMs <= atMs - idleMs);
    if (oldest === -1) return 0;
    const counts = samples
      .slice(oldest)
      .map((sample) => pagesUpTo(sample.generationsByNode.get(node) ?? [], seq, 'filePages'));
    return Math.min(...counts);
  }

  /** Forgets memcgs that the latest listing does not have. */
  keepOnly(listed: readonly LruGenMemcg[]): void {
    const keys = new Set(listed.filter(hasPages).map(keyOf));
    for (const key of this.#samples.keys()) if (!keys.has(key)) this.#samples.delete(key);
  }
}

function keyOf(memcg: LruGenMemcg): string {
  return `${memcg.id} ${memcg.path}`;
}
