import type { Log } from '../log.js';
import type { Eviction } from './eviction.js';
import type { EvictionSteps } from './eviction-steps.js';
import { cameBackAtOnce, cameBackSome } from './probe.js';
import type { Probing } from './probing.js';
import { takesWhatIsRead } from './read-sparing.js';
import type { ReclaimPace } from './reclaim-pace.js';
import { largestStepPages, type Run } from './run.js';
import type { Vein } from './vein.js';

/** The eviction of one generation by steps, with a look at what comes back. */
export class GenerationEviction {
  constructor(
    private readonly eviction: Eviction,
    private readonly steps: EvictionSteps,
    private readonly probing: Probing,
    private readonly log: Log,
    private readonly pace: ReclaimPace,
  ) {}

  /** Evicts the present generation of a vein to its end, the limit, or a reason to stop. Steps grow while nothing comes back. */
  async evict(run: Run, vein: Vein): Promise<void> {
    const { type } = vein.cold;
    const { memcg } = run.request;
    const reads = type === 'file' ? run.reads : undefined;
    const carefulPages = Math.min(run.request.stepPages, this.pace.carefulStepPages);
    const firstPages = vein.careful ? carefulPages : run.request.stepPages;
    const freedBefore = run.freedPages;
    let stepPages = reads ? Math.min(firstPages, this.pace.watchedStepPages) : firstPages;
    let refaultsSeen = await this.eviction.refaults(memcg, type);
    let unwatchedPages = 0;
    for (let emptySteps = 0; emptySteps < 2;) {
      if (run.signal.aborted || run.leftPages <= 0 || vein.leftPages <= 0) return;
      const step = await this.steps.step(run, vein, stepPages);
      emptySteps = step.freedPages === 0 ? emptySteps + 1 : 0;
      unwatchedPages += step.freedPages;
      if (await takesWhatIsRead(run, [vein], this.log)) return;
      if (!vein.careful && !cameBackSome(unwatchedPages, step.refaultPages - refaultsSeen)) {
        const grownPages = reads ? (run.freedPages - freedBefore) * this.pace.watchedStepShare : stepPages * 2;
        stepPages = Math.min(
          Math.max(stepPages, Math.floor(grownPages)),
          firstPages * this.pace.stepGrowth,
          largestStepPages,
        );
        continue;
      }
      if (!reads) stepPages = firstPages;
      await this.steps.wait(run, this.pace.probeWaitMs);
      const refaults = await this.eviction.refaults(memcg, type);
      if (cameBackAtOnce(unwatchedPages, refaults - refaultsSeen)) {
        // What the guard looks at may have brought it back: swap that is removed.
        if (await this.steps.isStopped(run, type)) return;
        this.probing.forget(run, type);
        vein.leftPages = 0;
        run.shortfalls.push(
          `the run stopped with ${type} pages left: ${refaults - refaultsSeen} of the last ${unwatchedPages} evicted were used again at once`,
        );
        return;
      }
      refaultsSeen = refaults;
      unwatchedPages = 0;
    }
  }
}
