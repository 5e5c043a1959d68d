import type { EvictionSteps } from './eviction-steps.js';
import type { ReclaimPace } from './reclaim-pace.js';
import { fewPages, type Run } from './run.js';
import { isBehindPageCache, openReturned, returnedPages, type Vein } from './vein.js';

/** Cold anonymous memory that the kernel would not take where it lies, brought within reach by one more aging. */
export class AnonReach {
  constructor(
    private readonly steps: EvictionSteps,
    private readonly pace: ReclaimPace,
  ) {}

  /** Makes the kernel find the anon of veins that it would take page cache for: one more aging, and its grace. */
  async reach(run: Run, veins: readonly Vein[]): Promise<void> {
    if (this.steps.anonOnlyEviction || run.leftPages <= 0 || run.signal.aborted) return;
    const listed = await this.steps.listed(run.request.memcg);
    const behind = veins.filter((vein) => isBehindPageCache(vein, listed));
    if (behind.length === 0) return;
    await this.steps.age(listed, new Set(behind.map((vein) => vein.cold.node)));
    run.folded = true;
    await this.steps.wait(run, this.pace.graceMs);
    const folded = await this.steps.listed(run.request.memcg);
    for (const vein of behind)
      if (isBehindPageCache(vein, folded)) {
        vein.leftPages = 0;
        run.shortfalls.push(behindPageCache);
      }
  }

  /**
   * Huge pages that were written to swap (7.2), or that no swap was found for at once, stand among the youngest generations afterwards, out of
   * reach. Where that is a good part of a vein, one more aging and grace bring them back into reach, apart from what is in use: the aging leaves that
   * in the youngest but one. Answers the veins that have them within reach now.
   */
  async returned(run: Run, veins: readonly Vein[]): Promise<readonly Vein[]> {
    const { memcg } = run.request;
    if (run.folded || veins.length === 0 || run.leftPages <= 0 || run.signal.aborted) return [];
    const listed = await this.steps.listed(memcg);
    const returned = veins.filter((vein) => {
      const pages = Math.min(vein.leftPages, returnedPages(vein, listed));
      return pages >= Math.max(fewPages, vein.cold.pages * this.pace.returnedShare);
    });
    // Where swap has run out they are there because of that, and no aging helps.
    if (returned.length === 0 || (await this.steps.isStopped(run, 'anon'))) return [];
    await this.steps.age(listed, new Set(returned.map((vein) => vein.cold.node)));
    await this.steps.wait(run, this.pace.graceMs);
    const aged = await this.steps.listed(memcg);
    const writtenPages = (await this.steps.swapCachedPages(memcg)) - run.swapCachedPages;
    const apart = returned.filter((vein) => openReturned(vein, aged, writtenPages));
    if (apart.length < returned.length) run.shortfalls.push(amongPagesInUse);
    return apart;
  }
}

const amongPagesInUse =
  'some anonymous memory went among the pages in use instead of leaving (huge pages were split, or swap was slow); write again after a scan period';

const behindPageCache =
  'some anonymous memory was left: before Linux 6.16 the kernel would have taken page cache that is older instead; write again after a scan period, or reclaim page cache first';
