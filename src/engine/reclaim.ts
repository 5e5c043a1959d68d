import { ColdpgsError } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import type { Census } from './census.js';
import type { Eviction, PageType } from './eviction.js';
import type { EvictionSteps } from './eviction-steps.js';
import { cameBackAtOnce, cameBackSome, judgeProbe } from './probe.js';
import { type ReadLosses, takesTooYoung } from './read-losses.js';
import { planReclaim, type ReclaimPlan } from './reclaim-plan.js';
import { fewPages, largestStepPages, type ReclaimRequest, type Run, startRun } from './run.js';
import {
  isBehindPageCache,
  openOldest,
  openReturned,
  openVein,
  returnedPages,
  type Vein,
  youngerPages,
} from './vein.js';

/** How careful a run is. The defaults are measured (docs/precision.md). */
export interface ReclaimPace {
  /** No eviction sooner than this after an aging: use since then must have shown. */
  readonly graceMs: number;
  /** Nor sooner than this after the kernel moved pages that it spared: page cache must be read five times before it is spared again. */
  readonly sparedGraceMs: number;
  readonly probePages: number;
  readonly probeWaitMs: number;
  /** Probes at most, while pages of them come back. */
  readonly probes: number;
  /** The step of a run that goes slowly. */
  readonly carefulStepPages: number;
  /** The first step where some of the page cache is in use through read(2), and what share of what went so far a later one may be. */
  readonly watchedStepPages: number;
  readonly watchedStepShare: number;
  /** Steps grow to at most so many times the first while nothing comes back: each costs a round trip to the kernel. */
  readonly stepGrowth: number;
  /** How often a run goes after anon that the kernel put among the younger pages, at most. */
  readonly returns: number;
  /** The share of cold anon that must have come back among the younger before it is gone after. */
  readonly returnedShare: number;
}

export const defaultPace: ReclaimPace = {
  graceMs: 1500,
  sparedGraceMs: 2600,
  probePages: 64,
  probeWaitMs: 1000,
  probes: 3,
  carefulStepPages: 1024,
  watchedStepPages: 64,
  watchedStepShare: 0.1,
  stepGrowth: 8,
  returns: 3,
  returnedShare: 0.02,
};

export interface ReclaimOutcome {
  readonly freedBytes: number;
  /** Time inside eviction commands, and time waited for grace and probes. */
  readonly evictionMs: number;
  readonly waitedMs: number;
  /** Why less was done than asked, as sentences; empty when all that was proven cold went. */
  readonly shortfalls: readonly string[];
  /** What the request's guard ended the run for; undefined when it did not. */
  readonly stoppedBy: string | undefined;
  /** Pages of each type that the run set out to take. */
  readonly plannedPages: Readonly<Record<PageType, number>>;
}

/** Four generations have at most two that can be evicted; the kernel may add one or two during a long run. */
const mostGenerations = 4;

/**
 * Evicts what is proven cold in a memcg: grace, probe, then steps, each measured and entered in the ledger.
 *
 * One generation at a time: the kernel spares pages in use by moving them to the next generation, and forgets their use in doing so.
 * Going on into that generation at once would take exactly the pages that were spared; after another grace time their use shows again.
 */
export class Reclaim {
  /** When a probe last showed that nothing of the type comes back, by identity and type. */
  readonly #goodProbes = new Map<string, { readonly memcg: Memcg; readonly atMs: number }>();

  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    private readonly eviction: Eviction,
    private readonly steps: EvictionSteps,
    private readonly census: Census,
    private readonly log: Log,
    private readonly pace: ReclaimPace = defaultPace,
    /** Told what share of the pages that looked cold a probe showed to be in use. */
    private readonly onProbed: (memcg: Memcg, type: PageType, usedShare: number) => void = () => undefined,
    /** Watches what a run takes of page cache that was read within so many milliseconds. */
    private readonly watchReads: (memcg: Memcg, idleMs: number) => ReadLosses | undefined = () => undefined,
  ) {}

  /**
   * Frees at most `limitBytes` (but for one batch of the kernel) of what is proven idle for `agePeriods` periods.
   * Throws MEMCG_GONE, KERNEL_REFUSED, or CANCELLED when `signal` is aborted; what was freed until then is in the ledger.
   */
  async run(request: ReclaimRequest, signal: AbortSignal): Promise<ReclaimOutcome> {
    const reads = this.watchReads(request.memcg, request.agePeriods * request.periodMs);
    const run = startRun(request, this.kernel.pageBytes, signal, reads?.youngFrames ? reads : undefined);
    run.swapCachedPages = await this.steps.swapCachedPages(request.memcg);
    run.onZram = run.writesAtOnce = await this.steps.swapIsZram();
    const opened = await this.#openVeins(run);
    await this.#probe(
      run,
      opened.filter((vein) => !this.#isFresh(run, vein.cold.type)),
    );
    let veins = opened;
    for (let generation = 0; generation < mostGenerations && veins.length > 0 && !signal.aborted; generation++) {
      for (const vein of veins) await this.#evictGeneration(run, vein);
      veins = await this.#moveOn(run, veins);
    }
    const anon = opened.filter((vein) => vein.cold.type === 'anon');
    for (let round = 0; round < this.pace.returns && (await this.#takeReturned(run, anon)); round++);
    if (signal.aborted) throw cancelled(request.memcg);
    return this.#outcome(run, opened);
  }

  /** Forgets what probes said of memcgs that are gone. */
  keepOnly(isLive: (memcg: Memcg) => boolean): void {
    for (const [key, { memcg }] of this.#goodProbes) if (!isLive(memcg)) this.#goodProbes.delete(key);
  }

  /** What is proven cold once the grace time is over; waits for that only when there is something to wait for. */
  async #openVeins(run: Run): Promise<Vein[]> {
    let plan = await this.#plan(run);
    const graceLeftMs = this.pace.graceMs - plan.sinceAgingMs;
    if (plan.cold.length > 0 && graceLeftMs > 0) {
      await this.steps.wait(run, graceLeftMs);
      plan = await this.#plan(run);
    }
    run.shortfalls.push(...nothingProven(run.request, plan));
    const listed = await this.steps.listed(run.request.memcg);
    const veins = plan.cold.filter((cold) => !this.#isAllRead(run, cold.type)).map((cold) => openVein(cold, listed));
    await this.#reach(run, veins);
    return veins;
  }

  /** Makes the kernel find the anon of veins that it would take page cache for: one more aging, and its grace. */
  async #reach(run: Run, veins: readonly Vein[]): Promise<void> {
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

  /** Whether hardly any page cache is cold enough, by what was seen of reads: then not even a probe is worth its losses. */
  #isAllRead({ reads, request, shortfalls }: Run, type: PageType): boolean {
    if (type !== 'file' || !reads || reads.youngShare <= nearlyAll) return false;
    const percent = Math.round(reads.youngShare * 100);
    const sentence = `page cache was left alone: ${percent} % of it was read within ${request.agePeriods} periods`;
    if (!shortfalls.includes(sentence)) shortfalls.push(sentence);
    return true;
  }

  async #plan(run: Run): Promise<ReclaimPlan> {
    const { memcg, types, agePeriods, periodMs } = run.request;
    const listed = await this.steps.listed(memcg);
    const plan = planReclaim(listed, types, agePeriods * periodMs, this.census, this.clock.nowMs());
    return { ...plan, cold: run.request.narrow?.(plan.cold) ?? plan.cold };
  }

  /**
   * Turns to the next generation of each vein that has one worth it, and answers those. Where the kernel moved pages that it spared
   * into it, waits until their use shows again, and probes page cache anew.
   */
  async #moveOn(run: Run, veins: readonly Vein[]): Promise<Vein[]> {
    const open = veins.filter((vein) => vein.leftPages > 0 && vein.seq < vein.cold.newestSeq);
    if (open.length === 0 || run.leftPages <= 0 || run.signal.aborted) return [];
    const listed = await this.steps.listed(run.request.memcg);
    const spared = open.filter((vein) => youngerPages(vein, listed) > vein.youngerPages + fewPages);
    const next = open.filter((vein) => openOldest(vein, listed) >= fewPages);
    if (spared.some((vein) => next.includes(vein))) {
      await this.steps.wait(run, this.pace.sparedGraceMs);
      await this.#probe(
        run,
        next.filter((vein) => vein.cold.type === 'file'),
      );
    }
    await this.#reach(run, next);
    return next;
  }

  /**
   * Huge pages that were written to swap (7.2), or that no swap was found for at once, stand among the youngest generations afterwards, out of
   * reach. Where that is a good part of a vein, one more aging and grace bring them back into reach, apart from what is in use. Answers
   * whether it was so.
   */
  async #takeReturned(run: Run, veins: readonly Vein[]): Promise<boolean> {
    const { memcg } = run.request;
    if (run.folded || veins.length === 0 || run.leftPages <= 0 || run.signal.aborted) return false;
    const listed = await this.steps.listed(memcg);
    const returned = veins.filter((vein) => {
      const pages = Math.min(vein.leftPages, returnedPages(vein, listed));
      return pages >= Math.max(fewPages, vein.cold.pages * this.pace.returnedShare);
    });
    if (returned.length === 0) return false;
    await this.steps.age(listed, new Set(returned.map((vein) => vein.cold.node)));
    await this.steps.wait(run, this.pace.graceMs);
    const aged = await this.steps.listed(memcg);
    const writtenPages = (await this.steps.swapCachedPages(memcg)) - run.swapCachedPages;
    const apart = returned.filter((vein) => openReturned(vein, aged, writtenPages));
    for (const vein of apart) await this.#evictGeneration(run, vein);
    if (apart.length < returned.length) run.shortfalls.push(amongPagesInUse);
    return apart.length > 0;
  }

  /** Evicts a few pages of each type and node and looks whether they come back: closes the veins of a type that does, or makes them careful. */
  async #probe(run: Run, veins: readonly Vein[]): Promise<void> {
    const { memcg } = run.request;
    let types = run.request.types.filter((type) => veins.some((vein) => vein.cold.type === type));
    for (let probesLeft = this.pace.probes - 1; types.length > 0 && run.leftPages > 0; probesLeft--) {
      const probed = new Map<PageType, { freedPages: number; refaultsBefore: number }>();
      for (const type of types) {
        const refaultsBefore = await this.eviction.refaults(memcg, type);
        let freedPages = 0;
        for (const vein of veins.filter((one) => one.cold.type === type))
          freedPages += (await this.steps.step(run, vein, this.pace.probePages)).freedPages;
        probed.set(type, { freedPages, refaultsBefore });
        if (type === 'file' && (await this.#takesWhatIsRead(run, veins))) probed.delete(type);
      }
      if (run.signal.aborted || [...probed.values()].every(({ freedPages }) => freedPages === 0)) return;
      await this.steps.wait(run, this.pace.probeWaitMs);
      const again: PageType[] = [];
      for (const [type, { freedPages, refaultsBefore }] of probed) {
        const refaults = (await this.eviction.refaults(memcg, type)) - refaultsBefore;
        const verdict = judgeProbe(freedPages, refaults, probesLeft);
        this.log.debug({ memcg: toText(memcg.path), type, freedPages, refaults, verdict }, 'probed');
        if (freedPages > 0) this.onProbed(memcg, type, Math.min(1, Math.max(0, refaults / freedPages)));
        if (verdict === 'probe again') again.push(type);
        if (verdict === 'go on') this.#goodProbes.set(probeKey(run, type), { memcg, atMs: this.clock.nowMs() });
        if (verdict === 'go slower') for (const vein of veins) vein.careful ||= vein.cold.type === type;
        if (verdict === 'stop') {
          for (const vein of veins) if (vein.cold.type === type) vein.leftPages = 0;
          run.shortfalls.push(
            `${type} pages were left alone: ${refaults} of ${freedPages} evicted as a probe were used again within ${this.pace.probeWaitMs} ms`,
          );
        }
      }
      types = again;
    }
  }

  /** Evicts the present generation of a vein to its end, the limit, or a reason to stop. Steps grow while nothing comes back. */
  async #evictGeneration(run: Run, vein: Vein): Promise<void> {
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
      if (await this.#takesWhatIsRead(run, [vein])) return;
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
        this.#goodProbes.delete(probeKey(run, type));
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

  /** Whether page cache went that was read too lately: then the veins of it are closed. */
  async #takesWhatIsRead(run: Run, veins: readonly Vein[]): Promise<boolean> {
    if (!veins.some((vein) => vein.cold.type === 'file')) return false;
    const losses = await run.reads?.soFar();
    if (!losses || !takesTooYoung(losses)) return false;
    this.log.debug({ memcg: toText(run.request.memcg.path), ...losses }, 'page cache in use went');
    for (const vein of veins) if (vein.cold.type === 'file') vein.leftPages = 0;
    run.shortfalls.push(
      `page cache was left alone: ${losses.young} of ${losses.gone} evicted pages of a sample had been read within ` +
        `${run.request.agePeriods} periods, and the kernel takes those of its oldest generation in no order`,
    );
    return true;
  }

  #isFresh(run: Run, type: PageType): boolean {
    // The probe shows whether reads are spared this time: what was in use before may have been spared then.
    if (type === 'file' && run.reads) return false;
    const good = this.#goodProbes.get(probeKey(run, type));
    return good !== undefined && this.clock.nowMs() - good.atMs < run.request.periodMs;
  }

  #outcome(run: Run, opened: readonly Vein[]): ReclaimOutcome {
    const { evictionMs, waitedMs, shortfalls, stoppedBy } = run;
    const planned = (type: PageType): number =>
      opened.reduce((sum, { cold }) => (cold.type === type ? sum + cold.pages : sum), 0);
    const freedBytes = run.freedPages * this.kernel.pageBytes;
    this.log.info({ memcg: toText(run.request.memcg.path), freedBytes, evictionMs, waitedMs }, 'reclaimed');
    const plannedPages = { anon: planned('anon'), file: planned('file') };
    return { freedBytes, evictionMs, waitedMs, shortfalls, stoppedBy, plannedPages };
  }
}

/** The share of page cache in use beyond which none of it is evicted. */
const nearlyAll = 0.9;

const amongPagesInUse =
  'some anonymous memory went among the pages in use instead of leaving (huge pages were split, or swap was slow); write again after a scan period';

const behindPageCache =
  'some anonymous memory was left: before Linux 6.16 the kernel would have taken page cache that is older instead; write again after a scan period, or reclaim page cache first';

function probeKey(run: Run, type: PageType): string {
  return `${run.request.memcg.inode} ${type}`;
}

function nothingProven(request: ReclaimRequest, plan: ReclaimPlan): string[] {
  const askedMs = request.agePeriods * request.periodMs;
  if (plan.cold.length > 0 || plan.longestProvenMs >= askedMs) return [];
  return [
    `nothing is proven idle for ${request.agePeriods} periods (${askedMs / 1000} s) yet: the oldest generation border is ` +
      `${Math.floor(plan.longestProvenMs / 1000)} s old. The aging clock of the memcg now works toward it; write again later`,
  ];
}

function cancelled(memcg: Memcg): ColdpgsError {
  return new ColdpgsError(
    'CANCELLED',
    'EINTR',
    `The reclaim of memcg ${toText(memcg.path)} was cancelled; what it freed until then is in memory.coldpgs.stats.`,
  );
}
