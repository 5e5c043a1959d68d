import { ColdpgsError } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import type { SlabCache } from '../kernel/slab.js';
import type { Log } from '../log.js';
import type { Ledger } from './ledger.js';
import { Turns } from './turns.js';

/** The kernel holds a lock while it looks at the objects of one command: so many, as it does by itself. */
const objectsPerLook = 1024;
/** Inodes can go only when their dentries are gone, and what was used since the last look only at the next: rounds at most, and without success. */
const mostRounds = 8;
const roundsInVain = 2;
/** Objects are given back after a grace of the kernel's own (RCU): how long that is waited for, and how often looked at. */
const settleMs = 2000;
const settleLookMs = 200;

/**
 * Frees dentries and inodes that nothing holds. The kernel knows no ages of them, so a threshold says nothing here: what goes is what nobody has open or
 * stands in. How much it was is measured by the fall of reclaimable slab, whole slabs of objects.
 */
export class SlabReclaim {
  /** What falls while two of them are at work cannot be told apart. */
  readonly #turns = new Turns(1);

  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    private readonly ledger: Ledger,
    private readonly log: Log,
  ) {}

  /** Why the slab of single memcgs cannot be freed; undefined when it can. */
  obstacle(): string | undefined {
    return this.kernel.slab.obstacle();
  }

  /** Frees the slab of each of some memcgs, together about `limitBytes` at most. Throws KERNEL_REFUSED, CANCELLED; what went is in the ledger. */
  async ofMemcgs(memcgs: readonly Memcg[], limitBytes: number, signal: AbortSignal): Promise<void> {
    const inodes = new Set(memcgs.map(({ inode }) => inode));
    await this.#measured(memcgs, signal, async () => {
      let leftBytes = limitBytes;
      let inVain = 0;
      for (let round = 0, before = Infinity; round < mostRounds && inVain < roundsInVain && leftBytes > 0; round++) {
        const caches = (await this.kernel.slab.caches()).filter(({ memcgInode }) => inodes.has(memcgInode));
        const objects = caches.reduce((sum, { objectsByNode }) => sum + sumOf(objectsByNode), 0);
        if (objects === 0) return;
        inVain = objects >= before ? inVain + 1 : 0;
        before = objects;
        const bytes = await this.#bytesOf(memcgs);
        await this.#look(caches, Math.ceil((leftBytes * objects) / Math.max(1, bytes)), signal);
        if (leftBytes < Infinity) leftBytes -= Math.max(0, bytes - (await this.#settled(memcgs)));
      }
    });
  }

  /** Frees that of every memcg, the machine's own with it; `memcgs` are all there are. Throws KERNEL_REFUSED, CANCELLED. */
  async ofAll(memcgs: readonly Memcg[], signal: AbortSignal): Promise<void> {
    await this.#measured(memcgs, signal, () => this.kernel.slab.dropAll());
  }

  /** One look at up to `objects` of the caches. */
  async #look(caches: readonly SlabCache[], objects: number, signal: AbortSignal): Promise<void> {
    let left = objects;
    for (const cache of caches)
      for (const [node, count] of cache.objectsByNode.entries())
        for (let done = 0; done < count && left > 0; done += objectsPerLook) {
          if (signal.aborted) throw cancelled();
          const asked = Math.min(objectsPerLook, count - done, left);
          await this.kernel.slab.shrink(cache, node, asked);
          left -= asked;
        }
  }

  /** Does `work`, and books for each memcg what fell of its own meanwhile. */
  async #measured(memcgs: readonly Memcg[], signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    await this.#turns.run('/', signal, async () => {
      const before = await this.#ownBytes(memcgs);
      try {
        await work();
      } finally {
        await this.#settled(memcgs);
        const after = await this.#ownBytes(memcgs);
        let bytes = 0;
        for (const memcg of memcgs) {
          const fell = Math.max(0, (before.get(memcg.inode) ?? 0) - (after.get(memcg.inode) ?? Infinity));
          if (fell > 0) this.ledger.add(memcg, { 'slab drop': fell });
          bytes += fell;
        }
        this.log.info({ bytes }, 'slab dropped');
      }
    });
  }

  /** Waits until reclaimable slab falls no more. Answers what it is then. */
  async #settled(memcgs: readonly Memcg[]): Promise<number> {
    let bytes = await this.#bytesOf(memcgs);
    for (let waitedMs = 0; waitedMs < settleMs; waitedMs += settleLookMs) {
      await this.clock.sleep(settleLookMs);
      const now = await this.#bytesOf(memcgs);
      if (now >= bytes) break;
      bytes = now;
    }
    return bytes;
  }

  /** Of the memcg, if it is one, else of the machine: cheap, and falls with it. */
  #bytesOf(memcgs: readonly Memcg[]): Promise<number> {
    const [memcg] = memcgs;
    return this.#reclaimableBytes(memcg && memcgs.length === 1 ? memcg.path : '/');
  }

  /** Reclaimable slab of each memcg without its descendants, by inode. Memcgs that are gone are left out. */
  async #ownBytes(memcgs: readonly Memcg[]): Promise<ReadonlyMap<bigint, number>> {
    const own = new Map<bigint, number>();
    const byPath = new Map<string, Promise<number>>();
    const withDescendants = (path: string): Promise<number> => {
      const known = byPath.get(path) ?? this.#reclaimableBytes(path);
      byPath.set(path, known);
      return known;
    };
    for (const { path, inode } of memcgs) {
      if (this.kernel.memcgs.at(path)?.inode !== inode) continue;
      const children = this.kernel.memcgs.childNames(path).map((name) => `${path === '/' ? '' : path}/${name}`);
      const below = sumOf(await Promise.all(children.map(withDescendants)));
      own.set(inode, Math.max(0, (await withDescendants(path)) - below));
    }
    return own;
  }

  async #reclaimableBytes(path: string): Promise<number> {
    try {
      return await this.kernel.slab.reclaimableBytes(path);
    } catch (failure) {
      if (failure instanceof ColdpgsError && failure.code === 'MEMCG_GONE') return 0;
      throw failure;
    }
  }
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0);
}

function cancelled(): ColdpgsError {
  return new ColdpgsError('CANCELLED', 'EINTR', 'The reclaim of slab was cancelled; what went until then is counted.');
}
