/** Swappiness of an eviction command: `file` evicts page cache only, `anon` anonymous memory (alone where the kernel can, first where it cannot). */
export type Swappiness = 'file' | 'anon';

/** One generation of one memcg on one node. */
export interface Generation {
  readonly seq: bigint;
  /** Milliseconds since its birth, that is, since the aging that made it. */
  readonly ageMs: number;
  /** Base pages; an estimate of the kernel's, never negative. */
  readonly anonPages: number;
  readonly filePages: number;
}

export interface LruGenNode {
  readonly node: number;
  /** Oldest first (the kernel's order); 2 to 4 of them. */
  readonly generations: readonly Generation[];
}

/** One memcg as lru_gen lists it. `id` is text: 16 bits or 64 by kernel, and "0" for an offline memcg, which no command can address. */
export interface LruGenMemcg {
  readonly id: string;
  readonly path: string;
  readonly nodes: readonly LruGenNode[];
}
