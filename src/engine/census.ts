import { hasPages, type LruGenMemcg, type LruGenNode } from '../kernel/lru-gen.js';
import { pagesUpTo } from './coldness.js';

interface Sample {
  readonly atMs: number;
  readonly nodes: readonly LruGenNode[];
}

interface Samples {
  /** The kernel's id of the memcg: the next one at its path has another. */
  readonly id: string;
  readonly samples: Sample[];
}

/** Samples kept of one memcg: enough to reach back three intervals at the spacing below. */
const samplesKept = 8;

/**
 * How much page cache was already there, and when. The kernel puts page cache that was just read into one of the oldest
 * generations (lru_gen_add_folio), so a generation border alone does not prove that its file pages are old; that they were
 * counted there long enough ago does.
 */
export class Census {
  #byPath = new Map<string, Samples>();

  /** Notes the generations of a memcg, at most every `spacingMs`. One without pages is as one that was not watched. */
  note(memcg: LruGenMemcg, atMs: number, spacingMs: number): void {
    if (!hasPages(memcg)) return void this.#byPath.delete(memcg.path);
    const samples = this.#samplesOf(memcg);
    const latest = samples?.at(-1);
    if (latest && atMs - latest.atMs < spacingMs) return;
    const sample = { atMs, nodes: memcg.nodes };
    if (!samples) return void this.#byPath.set(memcg.path, { id: memcg.id, samples: [sample] });
    samples.push(sample);
    if (samples.length > samplesKept) samples.shift();
  }

  /**
   * File pages in generations up to `seq` that can have been there for `idleMs` or longer: the fewest that were ever counted
   * there since. 0 when the memcg has not been watched that long.
   */
  filePagesOlderThan(memcg: LruGenMemcg, node: number, seq: bigint, atMs: number, idleMs: number): number {
    const samples = this.#samplesOf(memcg) ?? [];
    const oldest = samples.findLastIndex((sample) => sample.atMs <= atMs - idleMs);
    if (oldest === -1) return 0;
    const counts = samples
      .slice(oldest)
      .map(({ nodes }) => pagesUpTo(nodes.find((one) => one.node === node)?.generations ?? [], seq, 'filePages'));
    return Math.min(...counts);
  }

  /** Forgets memcgs that the latest listing does not have. */
  keepOnly(listed: readonly LruGenMemcg[]): void {
    const kept = new Map<string, Samples>();
    for (const memcg of listed) {
      const known = hasPages(memcg) ? this.#byPath.get(memcg.path) : undefined;
      if (known?.id === memcg.id) kept.set(memcg.path, known);
    }
    this.#byPath = kept;
  }

  #samplesOf({ id, path }: LruGenMemcg): Sample[] | undefined {
    const known = this.#byPath.get(path);
    return known?.id === id ? known.samples : undefined;
  }
}
