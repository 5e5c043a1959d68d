import { ColdpgsError, sentenceOf, systemErrno } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import type { LruGenMemcg } from '../kernel/lru-gen.js';
import type { MemoryStat } from '../kernel/memory-stat.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import { safeAnonPages } from './anon-allowance.js';
import { pagesUpTo } from './coldness.js';
import type { Eviction, PageOutTarget, PageType } from './eviction.js';
import type { Ledger } from './ledger.js';
import { generationsOf, pagesField } from './reclaim-plan.js';
import { fewPages, type Run } from './run.js';
import { goesToDevice, type Vein } from './vein.js';

/** What a step freed, and the refaults of its type after it. */
export interface Step {
  readonly freedPages: number;
  readonly refaultPages: number;
}

/** What went by address, and the refaults of its type after it. */
export interface SentOut {
  readonly sentPages: number;
  readonly refaultPages: number;
}

/** How long writes to swap are waited for, and how often looked at. */
const settleMs = 2000;
const settleLookMs = 10;

/**
 * The steps of a run, with its books kept. The hard part is anon: the kernel writes pages to swap without waiting, passes over them until they
 * are written, and counts none of them as freed. So a step that freed less than it asked waits for the writes and then takes what they left clean.
 */
export class EvictionSteps {
  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    private readonly eviction: Eviction,
    private readonly ledger: Ledger,
    readonly anonOnlyEviction: boolean,
    private readonly log: Log,
  ) {}

  /** Evicts at most `pages` from the vein's present generation, within what run and vein have left. Throws MEMCG_GONE, KERNEL_REFUSED, CANCELLED. */
  async step(run: Run, vein: Vein, pages: number): Promise<Step> {
    const wanted = Math.min(pages, run.leftPages, vein.leftPages);
    if (vein.cold.type === 'file' || wanted <= 0) return this.#command(run, vein, vein.seq, wanted);
    const asked = Math.min(wanted, await this.#safeToAsk(run, vein));
    const step = await this.#command(run, vein, vein.seq, asked);
    if ((asked > 0 && step.freedPages >= asked) || run.signal.aborted) return step;
    const rest = await this.#takeWritten(run, vein, wanted - step.freedPages);
    return { freedPages: step.freedPages + rest.freedPages, refaultPages: rest.refaultPages };
  }

  /**
   * Sends out memory of a process by address. Of the pages sent those that are written to swap are freed with the kernel's oldest generations, which they stand in
   * then. Throws KERNEL_REFUSED, CANCELLED.
   */
  async pageOut(run: Run, target: PageOutTarget): Promise<SentOut> {
    const { memcg, onFreed } = run.request;
    if (await this.isStopped(run, target.type))
      return { sentPages: 0, refaultPages: await this.eviction.refaults(memcg, target.type) };
    const { sentPages, freedPages, rows, refaultPages, tookMs } = await this.eviction.pageOut(
      memcg,
      target,
      run.signal,
    );
    this.ledger.add(memcg, rows);
    this.log.debug({ memcg: toText(memcg.path), type: target.type, sentPages, freedPages }, 'paged out');
    if (onFreed && freedPages > 0)
      for (const [node, pages] of sharedOut(freedPages, await this.listed(memcg), target.type))
        onFreed(node, target.type, pages);
    run.leftPages -= freedPages;
    run.freedPages += freedPages;
    run.evictionMs += tookMs;
    if (target.type === 'anon' && freedPages < sentPages) await this.#settled(run);
    return { sentPages, refaultPages };
  }

  /** Pages that this run sent to swap, that are written, and that are in memory all the same. */
  async writtenPages(run: Run): Promise<number> {
    return this.#cleanPages(run, await this.kernel.memory.stat(run.request.memcg.path));
  }

  refaults(memcg: Memcg, type: PageType): Promise<number> {
    return this.eviction.refaults(memcg, type);
  }

  /** The generations of a live memcg. Throws MEMCG_GONE. */
  async listed(memcg: Memcg): Promise<LruGenMemcg> {
    const listed = await this.kernel.lruGen.readOne(memcg.path);
    if (!listed || listed.id === '0' || this.kernel.memcgs.at(memcg.path)?.inode !== memcg.inode)
      throw new ColdpgsError('MEMCG_GONE', 'ENOENT', `Memcg ${toText(memcg.path)} was removed.`);
    return listed;
  }

  /** Anonymous pages of a memcg and its descendants that have a copy in swap and are in memory all the same. */
  async swapCachedPages({ path }: Memcg): Promise<number> {
    return (await this.kernel.memory.stat(path)).swapCachedBytes / this.kernel.pageBytes;
  }

  /** Whether all swap there is is compressed memory: what is sent there is there at once. */
  async swapIsZram(): Promise<boolean> {
    const devices = await this.kernel.swap.devices();
    return devices.length > 0 && devices.every(({ name }) => name.startsWith('/dev/zram'));
  }

  /** Makes a new generation in some nodes of a memcg. What the kernel refuses is left as it is: the pages stay where they are. */
  async age({ id, path, nodes }: LruGenMemcg, wanted: ReadonlySet<number>): Promise<void> {
    const targets = nodes.flatMap(({ node, generations }) => {
      const youngest = generations.at(-1);
      return youngest && wanted.has(node) ? [{ id, path, node, maxSeq: youngest.seq }] : [];
    });
    for (const { error } of await this.kernel.lruGen.age(targets))
      this.log.debug({ memcg: toText(path), refusal: sentenceOf(error) }, 'not aged');
  }

  /** Waits, on the run's account. Ends early when the run is cancelled. */
  async wait(run: Run, ms: number): Promise<void> {
    const startMs = this.clock.nowMs();
    await this.clock.sleep(ms, run.signal);
    run.waitedMs += this.clock.nowMs() - startMs;
  }

  /**
   * Waits until what the last command sent to swap is written, and frees at most `pages` of it. Written pages come back at the tail of the
   * oldest generation there is by then, clean and mapped nowhere: the kernel takes them first.
   */
  async #takeWritten(run: Run, vein: Vein, pages: number): Promise<Step> {
    const stat = await this.#settled(run);
    if (this.#isWritten(stat)) vein.alongLeftPages = fewPages;
    const listed = await this.listed(run.request.memcg);
    const evictable = generationsOf(listed, vein.cold.node).slice(0, -2);
    const oldest = evictable.find((generation) => generation.anonPages >= fewPages);
    const writtenPages = this.anonOnlyEviction
      ? Math.floor(stat.swapCachedBytes / this.kernel.pageBytes)
      : this.#cleanPages(run, stat);
    const asked = Math.min(pages, writtenPages, oldest?.anonPages ?? 0, run.leftPages, vein.leftPages);
    return this.#command(run, vein, oldest?.seq ?? vein.seq, asked < fewPages ? 0 : asked);
  }

  /** One command. A refusal that the kernel's own agings explain frees nothing. */
  async #command(run: Run, vein: Vein, seq: bigint, asked: number): Promise<Step> {
    const { memcg } = run.request;
    const { id, node, type } = vein.cold;
    if (asked <= 0 || (await this.isStopped(run, type)))
      return { freedPages: 0, refaultPages: await this.eviction.refaults(memcg, type) };
    try {
      const step = await this.eviction.evict(
        memcg,
        { id, node, seq, type, toDevice: goesToDevice(vein, seq) },
        asked,
        run.signal,
      );
      this.ledger.add(memcg, step.rows);
      const { freedPages, writebackPages } = step;
      this.log.debug({ memcg: toText(memcg.path), type, seq: String(seq), asked, freedPages, writebackPages }, 'step');
      run.request.onFreed?.(vein.cold.node, type, step.freedPages);
      if (step.otherPages > 0) run.request.onFreed?.(vein.cold.node, 'file', step.otherPages);
      vein.leftPages -= step.freedPages;
      run.leftPages -= step.freedPages + step.otherPages;
      run.freedPages += step.freedPages + step.otherPages;
      run.evictionMs += step.tookMs;
      vein.alongLeftPages -= step.otherPages;
      run.writesAtOnce = run.onZram || (step.zswapPages > 0 && step.zswapPages >= step.freedPages);
      return step;
    } catch (failure) {
      if (!(failure instanceof ColdpgsError) || systemErrno(failure.cause) !== 'EINVAL') throw failure;
      await this.listed(memcg);
      this.log.debug({ memcg: toText(memcg.path), failure: sentenceOf(failure) }, 'eviction step refused');
      return { freedPages: 0, refaultPages: await this.eviction.refaults(memcg, type) };
    }
  }

  /** Asks the guard of the run. A run that it stops has nothing left to free, which ends all that goes on in it. */
  async isStopped(run: Run, type: PageType): Promise<boolean> {
    run.stoppedBy ??= await run.request.guard?.(type, run.signal);
    if (run.stoppedBy !== undefined) run.leftPages = 0;
    return run.stoppedBy !== undefined;
  }

  /** What may be asked of the vein's present generation. */
  async #safeToAsk(run: Run, vein: Vein): Promise<number> {
    if (this.anonOnlyEviction) return Infinity;
    const generations = generationsOf(await this.listed(run.request.memcg), vein.cold.node);
    return safeAnonPages({
      listedPages: pagesUpTo(generations, vein.seq, 'anonPages'),
      filePages: pagesUpTo(generations, vein.seq, 'filePages'),
      cleanPages: this.#cleanPages(run, await this.kernel.memory.stat(run.request.memcg.path)),
      alongLeftPages: vein.alongLeftPages,
      writesAtOnce: run.onZram || (run.writesAtOnce && !goesToDevice(vein, vein.seq)),
    });
  }

  /** Pages that this run sent to swap, that are written, and that are in memory all the same. */
  #cleanPages(run: Run, { swapCachedBytes, writebackBytes }: MemoryStat): number {
    const pages = Math.floor((swapCachedBytes - writebackBytes) / this.kernel.pageBytes);
    return Math.max(0, pages - run.swapCachedPages);
  }

  #isWritten({ writebackBytes }: MemoryStat): boolean {
    return writebackBytes < fewPages * this.kernel.pageBytes;
  }

  /** Waits, as part of the eviction, until writes to swap are done, at most `settleMs`. Answers memory.stat as it is then. */
  async #settled(run: Run): Promise<MemoryStat> {
    const { memcg } = run.request;
    const startMs = this.clock.nowMs();
    for (;;) {
      const stat = await this.kernel.memory.stat(memcg.path);
      const spentMs = this.clock.nowMs() - startMs;
      if (this.#isWritten(stat) || run.signal.aborted || spentMs >= settleMs) {
        run.evictionMs += spentMs;
        return stat;
      }
      await this.clock.sleep(settleLookMs, run.signal);
    }
  }
}

/** Freed pages by node, as far as the memcg's lists tell: by the share that each node has of the type. */
function sharedOut(pages: number, { nodes }: LruGenMemcg, type: PageType): [number, number][] {
  const held = nodes.map(({ generations }) => pagesUpTo(generations, generations.at(-1)?.seq ?? -1n, pagesField(type)));
  const all = held.reduce((sum, one) => sum + one, 0);
  return nodes.map(({ node }, index) => [node, all > 0 ? (pages * (held[index] ?? 0)) / all : pages / nodes.length]);
}
