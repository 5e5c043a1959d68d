import type { LruGenMemcg } from '../kernel/lru-gen.js';
import type { SeenByInode } from './seen-by-inode.js';

/**
 * What a look at the read bits of a memcg's pages means: `fresh`: an aging cleared them since the look before, so those that are set
 * now were set since; `held`: not yet, so those that were set before say nothing new; `stale`: agings stay away for longer than
 * usual, as they do from a memcg whose tasks do not run.
 */
export type ReadBits = 'fresh' | 'held' | 'stale';

/** An aging may come so much later than the one before it did. */
const lateFactor = 1.5;

/** What the bits mean now. `before` is the memcg at the look before, undefined where there was none. */
export function readBits(before: LruGenMemcg | undefined, now: LruGenMemcg, periodMs: number): ReadBits {
  if (!before) return 'held';
  if (now.nodes.some(({ node, generations }) => generations.at(-1)?.seq !== youngestOn(before, node))) return 'fresh';
  return now.nodes.every(({ generations }) => {
    const ageMs = generations.at(-1)?.ageMs ?? 0;
    const intervalMs = Math.max(periodMs, (generations.at(-2)?.ageMs ?? 0) - ageMs);
    return ageMs > lateFactor * intervalMs;
  })
    ? 'stale'
    : 'held';
}

/** The same for the memcgs of a look, by inode, worked out for those that are asked for: most have no page cache. */
export class ReadBitsOfMemcgs {
  readonly #known = new Map<number, ReadBits>();

  constructor(
    private readonly before: SeenByInode,
    private readonly now: SeenByInode,
    private readonly periodMs: number,
  ) {}

  /** undefined where the memcg was not seen. */
  of(inode: number): ReadBits | undefined {
    const known = this.#known.get(inode);
    if (known !== undefined) return known;
    const listed = this.now.listed(inode);
    if (!listed) return undefined;
    const bits = readBits(this.before.listed(inode), listed, this.periodMs);
    this.#known.set(inode, bits);
    return bits;
  }
}

function youngestOn(memcg: LruGenMemcg, node: number): bigint | undefined {
  return memcg.nodes.find((one) => one.node === node)?.generations.at(-1)?.seq;
}
