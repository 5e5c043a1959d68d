import type { Generation, LruGenMemcg } from '../kernel/lru-gen.js';
import type { Census } from './census.js';
import { longestProvenIdleMs, newestProvenSeq, pagesUpTo } from './coldness.js';
import type { PageType } from './eviction.js';

/** Pages of one type on one node that are proven cold. */
export interface ColdPages {
  readonly id: string;
  readonly node: number;
  readonly type: PageType;
  /** The newest generation that is proven; those before it are as well. */
  readonly newestSeq: bigint;
  /** At most so many pages are proven: of page cache, those that were counted there long enough ago. */
  readonly pages: number;
}

export interface ReclaimPlan {
  readonly cold: readonly ColdPages[];
  /** The longest idle time that any border proves at this moment, in milliseconds. */
  readonly longestProvenMs: number;
  /** Milliseconds since the last aging of the memcg on any node. */
  readonly sinceAgingMs: number;
}

/** What of a memcg is proven idle for `idleMs` at `atMs`, by type in the order asked and by node. */
export function planReclaim(
  memcg: LruGenMemcg,
  types: readonly PageType[],
  idleMs: number,
  census: Census,
  atMs: number,
): ReclaimPlan {
  const cold: ColdPages[] = [];
  for (const type of types)
    for (const { node, generations } of memcg.nodes) {
      const newestSeq = newestProvenSeq(generations, idleMs);
      if (newestSeq === undefined) continue;
      const listed = pagesUpTo(generations, newestSeq, pagesField(type));
      const pages =
        type === 'anon' || idleMs === 0
          ? listed
          : Math.min(listed, census.filePagesOlderThan(memcg, node, newestSeq, atMs, idleMs));
      if (pages > 0) cold.push({ id: memcg.id, node, type, newestSeq, pages });
    }
  return {
    cold,
    longestProvenMs: Math.max(0, ...memcg.nodes.map((one) => longestProvenIdleMs(one.generations))),
    sinceAgingMs: Math.min(...memcg.nodes.map((one) => one.generations.at(-1)?.ageMs ?? Infinity)),
  };
}

/** The field of a generation that counts pages of a type. */
export function pagesField(type: PageType): 'anonPages' | 'filePages' {
  return type === 'anon' ? 'anonPages' : 'filePages';
}

/** The generations of a node, oldest first; none where the node is not listed. */
export function generationsOf(memcg: LruGenMemcg, node: number): readonly Generation[] {
  return memcg.nodes.find((one) => one.node === node)?.generations ?? [];
}
