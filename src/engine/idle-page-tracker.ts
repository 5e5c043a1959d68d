import { ColdpgsError } from '../errors.js';
import { FRAMES_PER_IDLE_WORD } from '../kernel/idle-bitmap.js';
import type { Memcg } from '../kernel/kernel.js';
import { PageFrames } from '../kernel/page-frames.js';
import type { PageType } from './eviction.js';
import { FrameAges, type PagesByAge } from './frame-ages.js';
import { Looks, oldestAge } from './looks.js';
import { StillIdleFrames } from './still-idle-frames.js';
import type { IdleCohort, IdleFrames, SeenMemcg, Tracker } from './tracker.js';
import type { TrackerSurroundings } from './tracker-surroundings.js';

/** Frames handled together: some hundred microseconds of work, and a multiple of a word of marks. */
const sliceFrames = 64 * FRAMES_PER_IDLE_WORD;

/** The longest nap between slices: beyond it a budget is as good as none. */
const longestNapMs = 1000;

/**
 * Page ages as kidled keeps them: every page is marked idle, a look finds those whose mark is gone, and each has its age in a byte. Exact for
 * all ages, and for every use through page tables; the price is a walk through all of memory for each look.
 *
 * Under MgLRU the marks do not show use through read(2); PG_referenced, which agings clear, does. The agings in turn clear the accessed
 * bits that the marks go by, and the other way round, so a look comes right before the agings of its round: it sees the use of a whole
 * period. What is used so stays protected: the kernel notes it for reclaim when it takes the mark away (folio_set_young in mm/page_idle.c).
 */
export class IdlePageTracker implements Tracker {
  readonly name = 'idle-page';
  readonly readWitness = 'kpageflags';
  readonly #looks = new Looks();
  readonly #frames = new PageFrames(sliceFrames);
  readonly #idle = new Uint8Array(sliceFrames / 8);
  #ages = new FrameAges(0);
  #counts = new Map<number, PagesByAge>();
  #looking = false;

  constructor(private readonly surroundings: TrackerSurroundings) {}

  async start(): Promise<void> {
    const { pageFrames, idlePages } = this.surroundings.kernel;
    const obstacle = (await idlePages.obstacle()) ?? (await pageFrames.obstacle());
    if (obstacle !== undefined)
      throw new ColdpgsError(
        'TRACKER_UNAVAILABLE',
        'EOPNOTSUPP',
        `The tracker idle-page cannot run: ${obstacle}. Use --tracker mglru.`,
      );
    this.#ages = new FrameAges(await pageFrames.count());
  }

  /** The marks stay: they are no setting, and go with the next use of each page. */
  async stop(): Promise<void> {
    this.forget();
  }

  forget(): void {
    this.#ages = new FrameAges(this.#ages.frameCount);
    this.#looks.forget();
    this.#looking = false;
    this.#counts = new Map();
  }

  async beforeAgings(atMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.surroundings;
    const counts = new Map<number, PagesByAge>();
    this.#looking = true;
    try {
      for (let pfn = 0; pfn < this.#ages.frameCount; pfn += sliceFrames) {
        const beganMs = clock.nowMs();
        await this.#lookAtSlice(pfn, counts);
        await this.#nap(clock.nowMs() - beganMs, signal);
        if (signal.aborted) return;
      }
    } catch (failure) {
      // Some frames are a look older now and others are not.
      this.forget();
      throw failure;
    }
    this.#looks.add(atMs, clock.nowMs());
    this.#looking = false;
    this.#counts = counts;
  }

  async observe(seen: readonly SeenMemcg[]): Promise<void> {
    const live = new Set(seen.map(({ memcg }) => Number(memcg.inode)));
    for (const inode of this.#counts.keys()) if (!live.has(inode)) this.#counts.delete(inode);
  }

  cohorts({ inode }: Memcg): readonly IdleCohort[] {
    const counts = this.#counts.get(Number(inode));
    return counts ? [...this.#cohortsOf('anon', counts.anon), ...this.#cohortsOf('file', counts.file)] : [];
  }

  idleFrames({ inode }: Memcg, idleMs: number, atMs: number): IdleFrames | undefined {
    if (this.#youngestIdleFor(idleMs, atMs) === undefined) return undefined;
    const { kernel, clock } = this.surroundings;
    return new StillIdleFrames(kernel, Number(inode), () => {
      // Other looks may have begun, or ended, since the run began.
      const youngest = this.#youngestIdleFor(idleMs, Math.max(atMs, clock.nowMs())) ?? Infinity;
      return (pfn) => this.#ages.at(pfn) >= youngest;
    });
  }

  /** The least age, in looks, of what is idle for `idleMs`; undefined where nothing can be. */
  #youngestIdleFor(idleMs: number, atMs: number): number | undefined {
    const { latestMs = atMs } = this.#looks;
    // The frames that a look has passed already are a look older than the times of looks that are known.
    const ahead = this.#looking ? 1 : 0;
    for (let age = 1; age <= Math.min(oldestAge - ahead, this.#looks.count - 1); age++)
      if (this.#looks.idleMs(age).idleAtLeastMs + atMs - latestMs >= idleMs) return age + ahead;
    return undefined;
  }

  async #lookAtSlice(firstPfn: number, counts: Map<number, PagesByAge>): Promise<void> {
    const { pageFrames, idlePages } = this.surroundings.kernel;
    await idlePages.read(firstPfn, this.#idle);
    const count = await pageFrames.read(firstPfn, this.#frames);
    const marks = new Uint8Array(this.#idle.length);
    this.#ages.look(
      firstPfn,
      Math.min(count, this.#ages.frameCount - firstPfn),
      this.#frames,
      this.#idle,
      marks,
      counts,
    );
    if (marks.some((byte) => byte !== 0)) await idlePages.mark(firstPfn, marks);
  }

  /** Slices are spread so far apart that they stay within the budget. */
  async #nap(spentMs: number, signal: AbortSignal): Promise<void> {
    const napMs = Math.min(longestNapMs, spentMs * (100 / this.surroundings.cpuPercent - 1));
    if (napMs > 0) await this.surroundings.clock.sleep(napMs, signal);
  }

  *#cohortsOf(type: PageType, pagesByAge: Uint32Array): Generator<IdleCohort> {
    for (const [age, pages] of pagesByAge.entries()) if (pages > 0) yield { type, pages, ...this.#looks.idleMs(age) };
  }
}
