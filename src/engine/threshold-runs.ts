import { ColdpgsError, sentenceOf } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import { OFFLINE_ID } from '../kernel/lru-gen.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import { type AllowedTypes, anonLeftAlone, modeIsZero } from './allowed-types.js';
import type { Census } from './census.js';
import type { CompactionRequests } from './compaction-request.js';
import { type GlobalControls, modeBits } from './controls.js';
import type { EngineSettings } from './engine-settings.js';
import type { PageType } from './eviction.js';
import type { MemcgRuns } from './memcg-runs.js';
import type { MlockedMemory } from './mlocked.js';
import { knowsIdle } from './page-out.js';
import type { Problems } from './problems.js';
import type { OfflineMemcgs } from './offline-memcgs.js';
import { planReclaim } from './reclaim-plan.js';
import { largestStepPages, type ReclaimRequest } from './run.js';
import type { SlabReclaim } from './slab.js';
import type { SwapSplit } from './swap-split.js';
import type { Tracker } from './tracker.js';
import { isBelow } from '../kernel/lineage.js';

/** coldpgs's batch counts pages per lock hold; a step of ours is so many batches. */
const batchesPerStep = 128;

/** One write of a threshold, and what comes of it. */
interface ThresholdWrite {
  readonly agePeriods: number;
  readonly signal: AbortSignal;
  /** By node. */
  readonly freedPages: Map<number, number>;
}

/** What the thresholds do: one memcg by its own, or all of them by the global one. */
export class ThresholdRuns {
  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    private readonly global: Readonly<GlobalControls>,
    private readonly settings: EngineSettings,
    private readonly allowed: AllowedTypes,
    private readonly split: SwapSplit,
    private readonly mlocked: MlockedMemory,
    private readonly runs: MemcgRuns,
    private readonly offline: OfflineMemcgs,
    private readonly slab: SlabReclaim,
    private readonly compaction: CompactionRequests,
    private readonly census: Census,
    private readonly tracker: Pick<Tracker, 'idleFrames' | 'cohorts'>,
    private readonly problems: Problems,
    private readonly log: Log,
  ) {}

  /**
   * Reclaims what a memcg has that is idle for at least `agePeriods` periods, at most `limitBytes`, of the types that mode (and the
   * flags gate) allow. What could not be done as asked is in `problems`. Throws MEMCG_GONE, KERNEL_REFUSED, CANCELLED.
   */
  async ofMemcg(memcg: Memcg, agePeriods: number, limitBytes: number, signal: AbortSignal): Promise<void> {
    const about = toText(memcg.path);
    this.#mentionUnsupported(about);
    await this.#do(about, agePeriods, signal, async (write) => {
      const freedBytes = await this.#reclaimOne(memcg, limitBytes, true, write);
      await this.#reclaimOffline(memcg.path, write);
      await this.#reclaimSlab(memcg.path, [memcg], limitBytes - freedBytes, write);
      if (this.settings.children === 'skip' && !this.allowed.ignoresAge(memcg)) return;
      const below = (await this.kernel.memcgs.list()).filter((one) => isBelow(one.path, memcg.path));
      await this.#reclaimMany(below, write, memcg);
      if (this.slab.obstacle() === undefined) await this.#reclaimSlab(memcg.path, below, Infinity, write);
    });
  }

  /** Reclaims every memcg's pages idle for at least `agePeriods` periods, without a limit. Throws CANCELLED. */
  async ofAll(agePeriods: number, signal: AbortSignal): Promise<void> {
    this.#mentionUnsupported(everywhere);
    if (this.allowed.nothing()) return this.problems.report(everywhere, modeIsZero);
    if (this.settings.scanPeriodMs === 0) return this.problems.report(everywhere, periodIsZero);
    const memcgs = await this.kernel.memcgs.list();
    const [root] = memcgs;
    if (this.global.mode & modeBits.anon && root) {
      const obstacle = await this.allowed.obstacleToSwap(root);
      if (obstacle !== undefined) this.problems.report(everywhere, anonLeftAlone(obstacle));
    }
    await this.#do(everywhere, agePeriods, signal, async (write) => {
      if (this.allowed.pages()) {
        const runs = await this.#reclaimMany(memcgs, write);
        if (runs === 0) this.problems.report(everywhere, nothingProvenAnywhere(agePeriods));
        await this.#reclaimOffline('/', write);
      }
      await this.#reclaimAllSlab(memcgs, write);
    });
  }

  /** What the first eviction command of a run asks for, by batch. */
  stepPages(): number {
    return Math.min(this.global.batch * batchesPerStep, largestStepPages);
  }

  /** The work of a write, and a compaction after it where mode asks for that. */
  async #do(
    about: string,
    agePeriods: number,
    signal: AbortSignal,
    work: (write: ThresholdWrite) => Promise<void>,
  ): Promise<void> {
    const write = { agePeriods, signal, freedPages: new Map<number, number>() };
    const before = this.global.mode & modeBits.compact ? this.compaction.freeBlocks() : undefined;
    await work(write);
    if (!before) return;
    try {
      await this.compaction.afterRun(write.freedPages, before, signal);
    } catch (failure) {
      if (failure instanceof ColdpgsError && failure.code === 'CANCELLED') throw failure;
      this.problems.report(about, `not compacted after the run: ${sentenceOf(failure)}`);
    }
  }

  /**
   * One run for each memcg that has something proven cold, and how many those were; a memcg that is removed meanwhile is none of the others' business.
   * `by`: the memcg whose flags hold for all of them, else each its own.
   */
  async #reclaimMany(memcgs: readonly Memcg[], write: ThresholdWrite, by?: Memcg): Promise<number> {
    const listed = await this.kernel.lruGen.read();
    const atMs = this.clock.nowMs();
    const byPath = new Map(listed.filter((one) => one.id !== OFFLINE_ID).map((one) => [one.path, one]));
    const mlocked = await this.mlocked.among(memcgs);
    const worthIt = memcgs.filter((memcg) => {
      const generations = byPath.get(memcg.path);
      if (mlocked.has(memcg.path)) return true;
      if (!generations || this.allowed.ignoresAge(by ?? memcg)) return generations !== undefined;
      const idleMs = write.agePeriods * this.settings.scanPeriodMs;
      const { cold } = planReclaim(generations, ['anon', 'file'], idleMs, this.census, atMs);
      return cold.length > 0 || knowsIdle(this.tracker, memcg, idleMs, atMs);
    });
    const runs = worthIt.map((memcg) => this.#reclaimOne(memcg, Infinity, false, write, by));
    for (const [index, ended] of (await Promise.allSettled(runs)).entries()) {
      if (ended.status === 'fulfilled') continue;
      const failure: unknown = ended.reason;
      if (failure instanceof ColdpgsError && failure.code === 'CANCELLED') throw failure;
      const about = toText(worthIt[index]?.path ?? '');
      if (failure instanceof ColdpgsError && failure.code === 'MEMCG_GONE')
        this.log.debug({ memcg: about }, 'removed before its turn');
      else this.problems.report(about, `not reclaimed: ${sentenceOf(failure)}`);
    }
    return worthIt.length;
  }

  /** Answers the bytes freed. `asked`: somebody named the memcg, and is told why less is done than asked. */
  async #reclaimOne(
    memcg: Memcg,
    limitBytes: number,
    asked: boolean,
    write: ThresholdWrite,
    by = memcg,
  ): Promise<number> {
    const about = toText(memcg.path);
    if (this.#isOwn(memcg)) {
      if (asked) this.problems.report(about, ownMemcg);
      else this.log.debug({ memcg: about }, ownMemcg);
      return 0;
    }
    if (this.settings.scanPeriodMs === 0) {
      this.problems.report(about, periodIsZero);
      return 0;
    }
    const types = await this.allowed.of(memcg, asked, by);
    if (types.length === 0) return 0;
    const periodMs = this.settings.scanPeriodMs;
    const { deviceIdleMs, obstacle } = this.split.of(memcg, periodMs);
    if (obstacle !== undefined && types.includes('anon')) this.problems.report(about, obstacle);
    const request: ReclaimRequest = {
      memcg,
      agePeriods: this.allowed.ignoresAge(by) ? 0 : write.agePeriods,
      periodMs,
      limitBytes,
      types,
      deviceIdleMs,
      stepPages: this.stepPages(),
      onFreed: (node, _type, pages) => write.freedPages.set(node, (write.freedPages.get(node) ?? 0) + pages),
    };
    const outcome = await this.mlocked.around(request, write.signal, () => this.runs.run(request, write.signal));
    for (const sentence of outcome.shortfalls) this.problems.report(about, sentence);
    return outcome.freedBytes;
  }

  /** Removed memcgs below a path, without a limit, as in the module. */
  async #reclaimOffline(path: string, { agePeriods, signal }: ThresholdWrite): Promise<void> {
    const { scanPeriodMs } = this.settings;
    if (scanPeriodMs === 0) return;
    const typesOf = (memcg: Memcg): Promise<PageType[]> => this.allowed.of(memcg, false);
    const left = await this.offline.reclaim(path, agePeriods * scanPeriodMs, this.stepPages(), typesOf, signal);
    for (const sentence of left) this.problems.report(toText(path), sentence);
  }

  /** The slab of memcgs that a write to one of them is about. */
  async #reclaimSlab(
    path: string,
    memcgs: readonly Memcg[],
    limitBytes: number,
    { signal }: ThresholdWrite,
  ): Promise<void> {
    if (this.settings.scanPeriodMs === 0) return;
    const allowed = memcgs.filter((memcg) => this.allowed.slab(memcg) && !this.#isOwn(memcg));
    if (allowed.length === 0 || limitBytes <= 0) return;
    const obstacle = this.slab.obstacle();
    if (obstacle !== undefined)
      return this.problems.report(toText(path), `slab was left alone (EOPNOTSUPP): ${obstacle}; ${dropAllInstead}`);
    await this.slab.ofMemcgs(allowed, limitBytes, signal);
  }

  async #reclaimAllSlab(memcgs: readonly Memcg[], { signal }: ThresholdWrite): Promise<void> {
    const allowed = memcgs.filter((memcg) => this.allowed.slab(memcg));
    if (allowed.length === 0) return;
    if (this.slab.obstacle() === undefined)
      return this.slab.ofMemcgs(
        allowed.filter((memcg) => !this.#isOwn(memcg)),
        Infinity,
        signal,
      );
    if (allowed.length < memcgs.length) return this.problems.report(everywhere, slabOfSomeOnly);
    await this.slab.ofAll(memcgs, signal);
  }

  #isOwn({ path }: Memcg): boolean {
    return path === this.kernel.memcgs.own();
  }

  #mentionUnsupported(about: string): void {
    const { mode } = this.global;
    this.mlocked.mention(about);
    const obstacle = mode & modeBits.anon ? this.split.obstacleToZswap() : undefined;
    if (obstacle !== undefined) this.problems.report(about, obstacle);
  }
}

/** How coldpgs/errors names a write that is about all memcgs. */
const everywhere = 'global threshold';

function nothingProvenAnywhere(agePeriods: number): string {
  return `no memcg has pages proven idle for ${agePeriods} periods yet; the aging clocks now work toward it, write again later`;
}

const dropAllInstead = 'the global threshold drops that of all memcgs at once';
const slabOfSomeOnly =
  'slab was left alone: the flags gate is strict, bit 34 of memory.coldpgs.flags is not set everywhere, and this kernel can only drop that of all memcgs at once';
const periodIsZero = 'the scan period is 0 (off), so no age is known: set --scan-period to seconds';
const ownMemcg =
  'coldpgs runs in this memcg itself and does not reclaim it: start the daemon in a memcg of its own, for example with systemd-run';
