import type { LruGenMemcg } from '../kernel/lru-gen.js';
import type { SeenMemcg } from './tracker.js';

/** The memcgs of a look by the inodes of their directories, as numbers. */
export class SeenByInode {
  readonly #seen: readonly SeenMemcg[];
  readonly #places: ReadonlyMap<number, number>;

  /** `before`: those of an earlier look. Nearly always the same memcgs are seen in the same order, and what is known of their places goes for both. */
  constructor(seen: readonly SeenMemcg[] = [], before?: SeenByInode) {
    this.#seen = seen;
    this.#places =
      before && areSame(seen, before.#seen)
        ? before.#places
        : new Map(seen.map(({ memcg }, place) => [Number(memcg.inode), place]));
  }

  listed(inode: number): LruGenMemcg | undefined {
    const place = this.#places.get(inode);
    return place === undefined ? undefined : this.#seen[place]?.listed;
  }
}

function areSame(seen: readonly SeenMemcg[], before: readonly SeenMemcg[]): boolean {
  return seen.length === before.length && seen.every(({ memcg }, place) => before[place]?.memcg === memcg);
}
