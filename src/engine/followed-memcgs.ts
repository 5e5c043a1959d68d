import type { Memcg } from '../kernel/kernel.js';

/** A memcg and the pages it has. */
export interface SizedMemcg {
  readonly memcg: Memcg;
  readonly pages: number;
}

/** A memcg takes the place of another one if it has more than so many times its pages. */
const worthAChange = 2;

/**
 * Which memcgs to follow where only `most` can be: those that were followed, as long as they are there, and the largest of the others. Each change costs all
 * that is followed a scan period without ages, so memcgs of about the same size do not take turns, and one that is empty for a while stays.
 */
export function followedMemcgs(
  all: readonly SizedMemcg[],
  followed: readonly Memcg[],
  most: number,
): readonly SizedMemcg[] {
  const byInode = new Map(all.map((one) => [one.memcg.inode, one]));
  const stay = followed.flatMap(({ inode }) => byInode.get(inode) ?? []);
  for (const { memcg } of stay) byInode.delete(memcg.inode);
  const others = [...byInode.values()].filter(({ pages }) => pages > 0).sort((a, b) => b.pages - a.pages);
  const next = [...stay];
  for (const one of others) {
    if (next.length < most) {
      next.push(one);
      continue;
    }
    const smallest = next.reduce((least, other, index) => (other.pages < next[least]!.pages ? index : least), 0);
    if (one.pages <= worthAChange * (next[smallest]?.pages ?? Infinity)) break;
    next[smallest] = one;
  }
  return next;
}
