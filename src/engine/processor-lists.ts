import { sentenceOf } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Log } from '../log.js';
import { hugeOrder, smallPages } from './compaction-decision.js';

/**
 * A processor gives back 2,000 pages of a zone at a time; all of them together keep no more than an eighth of it (MIN_PERCPU_PAGELIST_HIGH_FRACTION in
 * mm/page_alloc.c).
 */
const mostTimes = 100;

/**
 * Has the processors give back the free pages that they keep in lists of their own, until no more come: these are in no block, and no compaction sees them.
 * Where the kernel refuses they stay there, which is logged: a compaction then gains less.
 */
export async function drainProcessorLists(kernel: Kernel, log: Log): Promise<void> {
  try {
    let pages = freePages(kernel);
    for (let times = 0; times < mostTimes; times++) {
      await kernel.compaction.drainProcessorLists();
      const before = pages;
      pages = freePages(kernel);
      // Less than a huge page's worth is not worth asking for again.
      if (pages - before < 2 ** hugeOrder) return;
    }
  } catch (error) {
    log.warn({ failure: sentenceOf(error) }, 'free pages stay in the lists of the processors');
  }
}

/** Free pages in blocks of any order. */
function freePages(kernel: Kernel): number {
  let pages = 0;
  for (const blocksByOrder of kernel.compaction.freeBlocksByNode().values())
    pages += smallPages({ blocksByOrder }, blocksByOrder.length);
  return pages;
}
