import { ColdpgsError } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Log } from '../log.js';
import { type Compactor, mostPasses } from './compactor.js';
import { freeBlocks, hugeOrder, smallPages } from './compaction-decision.js';
import { drainProcessorLists } from './processor-lists.js';
import type { Problems } from './problems.js';

/** One compaction goes over all of a node; what others did meanwhile may make another one worth it. */
const mostCompactions = 3;

export type FreeBlocks = ReadonlyMap<number, readonly number[]>;

/** Compactions that somebody asks for: until there are free blocks of an order, or after a run that left fragments. */
export class CompactionRequests {
  constructor(
    private readonly kernel: Kernel,
    private readonly compactor: Compactor,
    private readonly problems: Problems,
    private readonly log: Log,
  ) {}

  /** Free blocks by node and order. Throws KERNEL_REFUSED. */
  freeBlocks(): FreeBlocks {
    return this.kernel.compaction.freeBlocksByNode();
  }

  /** Compacts the whole machine. Throws KERNEL_REFUSED, CANCELLED. */
  async all(signal: AbortSignal): Promise<void> {
    await this.#compact(undefined, mostPasses, signal);
  }

  /**
   * Compacts each node that has no free block of 2^order pages, until it has one or compacting helps no more, which is then told.
   * Throws KERNEL_REFUSED, CANCELLED.
   */
  async untilFree(order: number, signal: AbortSignal): Promise<void> {
    for (const node of this.freeBlocks().keys()) {
      let blocks = this.#blocksOf(node);
      for (let times = 0; freeBlocks(blocks, order) === 0 && times < mostCompactions; times++) {
        const before = blocks;
        await this.#compact(node, 1, signal);
        blocks = this.#blocksOf(node);
        if (!isLessFragmented(blocks, before)) break;
      }
      if (freeBlocks(blocks, order) === 0)
        this.problems.report(
          'compact',
          `node ${node} still has no free block of order ${order}: compacting it helps no more`,
        );
    }
  }

  /** After a run that freed so many pages by node: compacts the nodes where they are a huge page's worth of small blocks. Throws KERNEL_REFUSED, CANCELLED. */
  async afterRun(freedPages: ReadonlyMap<number, number>, before: FreeBlocks, signal: AbortSignal): Promise<void> {
    const worthIt = [...freedPages].filter(([, pages]) => pages >= 2 ** hugeOrder);
    if (worthIt.length > 0) await drainProcessorLists(this.kernel, this.log);
    for (const [node, pages] of worthIt) {
      const blocksBefore = { blocksByOrder: before.get(node) ?? [] };
      const more = smallPages(this.#blocksOf(node), hugeOrder) - smallPages(blocksBefore, hugeOrder);
      this.log.debug({ node, pages, smallPages: more }, 'free blocks after a run');
      if (more >= 2 ** hugeOrder) await this.#compact(node, mostPasses, signal);
    }
  }

  async #compact(node: number | undefined, passes: number, signal: AbortSignal): Promise<void> {
    const { outcome, blocksGained } = await this.compactor.compactNow(node, passes, signal);
    this.log.info({ node, outcome, hugeBlocksGained: blocksGained }, 'compacted on request');
    if (outcome === 'cancelled')
      throw new ColdpgsError('CANCELLED', 'EINTR', 'The compaction was cancelled; what it has joined stays.');
    if (outcome !== 'done')
      throw new ColdpgsError('KERNEL_REFUSED', 'EIO', `The compaction ended as ${outcome}: look at the kernel log.`);
  }

  #blocksOf(node: number): Blocks {
    return { blocksByOrder: this.freeBlocks().get(node) ?? [] };
  }
}

type Blocks = { readonly blocksByOrder: readonly number[] };

/** Whether there are more blocks of some order, the larger ones counting first. */
function isLessFragmented(now: Blocks, before: Blocks): boolean {
  for (let order = now.blocksByOrder.length - 1; order > 0; order--) {
    const gained = freeBlocks(now, order) - freeBlocks(before, order);
    if (gained !== 0) return gained > 0;
  }
  return false;
}
