import { ColdpgsError, sentenceOf, systemErrno } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import type { LruGenMemcg } from '../kernel/lru-gen.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import { pagesUpTo } from './coldness.js';
import type { Eviction } from './eviction.js';
import type { Ledger } from './ledger.js';
import { generationsOf } from './reclaim-plan.js';
import type { Run } from './run.js';
import { fewPages, type Vein } from './vein.js';

/** What a step freed, and the refaults of its type after it. */
export interface Step {
  readonly freedPages: number;
  readonly refaultPages: number;
}

/** What a swap device may take in one go as long as nothing was seen of it: 256 requests of 256 KiB. */
const unseenInFlightPages = 16_384;
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
    private readonly anonOnlyEviction: boolean,
    private readonly log: Log,
  ) {}

  /** Evicts at most `pages` from the vein's present generation, within what run and vein have left. Throws MEMCG_GONE, KERNEL_REFUSED, CANCELLED. */
  async step(run: Run, vein: Vein, pages: number): Promise<Step> {
    const wanted = Math.min(pages, run.leftPages, vein.leftPages);
    if (vein.cold.type === 'file' || wanted <= 0) return this.#command(run, vein, vein.seq, wanted);
    const asked = Math.min(wanted, await this.#safeToAsk(run, vein));
    const step = await this.#command(run, vein, vein.seq, asked);
    const gotAll = step.freedPages >= asked && (this.anonOnlyEviction || asked > fewPages);
    if (gotAll || run.signal.aborted) return step;
    const rest = await this.#takeWritten(run, vein, wanted - step.freedPages);
    return { freedPages: step.freedPages + rest.freedPages, refaultPages: rest.refaultPages };
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
    const writtenPages = await this.#settledPages(run);
    const listed = await this.listed(run.request.memcg);
    const evictable = generationsOf(listed, vein.cold.node).slice(0, -2);
    const oldest = evictable.find((generation) => generation.anonPages >= fewPages);
    const asked = Math.min(pages, writtenPages, oldest?.anonPages ?? 0, run.leftPages, vein.leftPages);
    return this.#command(run, vein, oldest?.seq ?? vein.seq, asked < fewPages ? 0 : asked);
  }

  /** One command. A refusal that the kernel's own agings explain frees nothing. */
  async #command(run: Run, vein: Vein, seq: bigint, asked: number): Promise<Step> {
    const { memcg } = run.request;
    const { id, node, type } = vein.cold;
    if (asked <= 0) return { freedPages: 0, refaultPages: await this.eviction.refaults(memcg, type) };
    try {
      const step = await this.eviction.evict(memcg, { id, node, seq, type }, asked, run.signal);
      this.ledger.add(memcg, step.rows);
      const { freedPages, writebackPages } = step;
      this.log.debug({ memcg: toText(memcg.path), type, seq: String(seq), asked, freedPages, writebackPages }, 'step');
      vein.leftPages -= step.freedPages;
      run.leftPages -= step.freedPages + step.otherPages;
      run.freedPages += step.freedPages + step.otherPages;
      run.evictionMs += step.tookMs;
      const seenPages = Math.max(vein.inFlightPages ?? 0, step.writebackPages);
      vein.inFlightPages = step.otherPages > 0 ? unseenInFlightPages : seenPages;
      return step;
    } catch (failure) {
      if (!(failure instanceof ColdpgsError) || systemErrno(failure.cause) !== 'EINVAL') throw failure;
      await this.listed(memcg);
      this.log.debug({ memcg: toText(memcg.path), failure: sentenceOf(failure) }, 'eviction step refused');
      return { freedPages: 0, refaultPages: await this.eviction.refaults(memcg, type) };
    }
  }

  /**
   * Before 6.16 the kernel turns to file when it finds no anon to take, and pages being written are none to take. So never more is asked
   * than the list can give with a multiple of what was seen in flight left over; then a batch at a time; and nothing once the list is short.
   */
  async #safeToAsk(run: Run, vein: Vein): Promise<number> {
    if (vein.cold.type === 'file' || this.anonOnlyEviction) return Infinity;
    const listed = await this.listed(run.request.memcg);
    const listedPages = pagesUpTo(generationsOf(listed, vein.cold.node), vein.seq, 'anonPages');
    if (listedPages < fewPages) return 0;
    const spare = 4 * (vein.inFlightPages ?? unseenInFlightPages);
    return Math.max(fewPages, Math.floor((listedPages - spare) / 2));
  }

  /** Waits, as part of the eviction, until writes to swap are done, at most `settleMs`. Answers the pages that are written and still in memory. */
  async #settledPages(run: Run): Promise<number> {
    const { memcg } = run.request;
    const startMs = this.clock.nowMs();
    for (;;) {
      const { writebackBytes, swapCachedBytes } = await this.kernel.memory.stat(memcg.path);
      const done = writebackBytes < fewPages * this.kernel.pageBytes;
      const spentMs = this.clock.nowMs() - startMs;
      if (done || run.signal.aborted || spentMs >= settleMs) {
        run.evictionMs += spentMs;
        return Math.floor(swapCachedBytes / this.kernel.pageBytes);
      }
      await this.clock.sleep(settleLookMs, run.signal);
    }
  }
}
