import { ColdpgsError } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Memcg, PageFrameInterface } from '../kernel/kernel.js';
import { frameFlag, PageFrames } from '../kernel/page-frames.js';
import { earlyAgings } from './coldness.js';
import {
  countLook,
  type FrameSample,
  frameSample,
  framesPerBlock,
  isSettled,
  known,
  pfnAt,
  resampled,
  strideFor,
} from './frame-sample.js';
import { Looks, oldestAge } from './looks.js';
import { ReadLosses, type WatchedFrame } from './read-losses.js';
import { type ReadBits, ReadBitsOfMemcgs } from './read-bits.js';
import { ReadTally } from './read-page-cache.js';
import { SeenByInode } from './seen-by-inode.js';
import type { ReadPageCache, ReadWitness, SeenMemcg } from './tracker.js';

export interface WitnessSurroundings {
  readonly pageFrames: PageFrameInterface;
  readonly clock: Clock;
  /** The scan period in milliseconds; 0 is off. */
  periodMs(): number;
  /** How much of one core it may take, in percent. */
  readonly cpuPercent: number;
}

/** A smaller sample would say nothing, a larger one no more. */
const fewestFrames = 8 * 1024;
const mostFrames = 1024 * 1024;
/** Before the first look: some ten milliseconds' worth on hardware, less where a few blocks take longer than that. */
const firstFrames = 64 * 1024;
const blocksTried = 8;
/** The sample is halved when it costs so many times its budget, and doubled when it costs as little of it. */
const tooDear = 1.3;
const cheap = 0.3;
/** A look is to be one moment, however large the budget: at most so much of a period, in percent. */
const mostPercent = 5;
/** Blocks looked at before others have their turn, and how long those may take on a slow machine. */
const blocksAtOnce = 16;
const longestSliceMs = 2;
/** Looks that follow each other sooner than so many of a period are one. */
const shortestPause = 0.25;

/** After so many agings any page that is never promoted is in the oldest generation. */
const agingsToTheOldest = 3;

/**
 * Page cache that is used through read(2), seen in the flags of page frames. Under MgLRU the first read of a page sets PG_referenced, and
 * moving it to another generation, which each aging does to what is in the oldest, clears it (folio_mark_accessed in mm/swap.c,
 * folio_inc_gen in mm/vmscan.c). So a page whose bit is set right before an aging was read since the last one. The flags are only
 * looked at: nothing is changed, nothing evicted.
 *
 * Of a large memory a sample of frames is followed.
 */
export class KernelFlagsWitness implements ReadWitness {
  readonly name = 'kpageflags';
  readonly #looks = new Looks();
  readonly #frames = new PageFrames(framesPerBlock);
  #frameCount = 0;
  #sample: FrameSample = frameSample(0, 1);
  #seen = new SeenByInode();
  #tallies = new Map<number, ReadTally>();

  constructor(private readonly surroundings: WitnessSurroundings) {}

  async start(): Promise<void> {
    const obstacle = await this.surroundings.pageFrames.obstacle();
    if (obstacle !== undefined)
      throw new ColdpgsError(
        'TRACKER_UNAVAILABLE',
        'EOPNOTSUPP',
        `Use of page cache through read(2) cannot be seen: ${obstacle}.`,
      );
    this.#frameCount = await this.surroundings.pageFrames.count();
    const frameMs = await this.#frameMs();
    const affordable = frameMs > 0 ? this.#budgetMs() / frameMs : firstFrames;
    const frames = Math.max(fewestFrames, Math.min(firstFrames, affordable));
    this.#sample = frameSample(this.#frameCount, strideFor(this.#frameCount, frames));
  }

  async stop(): Promise<void> {
    this.forget();
  }

  forget(): void {
    this.#looks.forget();
    this.#sample = frameSample(this.#frameCount, this.#sample.stride);
    this.#tallies = new Map();
    this.#seen = new SeenByInode();
  }

  async observe(seen: readonly SeenMemcg[], atMs: number, signal: AbortSignal): Promise<void> {
    if (seen.length === 0) return;
    const { latestMs } = this.#looks;
    if (latestMs !== undefined && atMs - latestMs < this.surroundings.periodMs() * shortestPause) return;
    this.#looks.add(atMs);
    countLook(this.#sample);
    const before = this.#seen;
    const now = (this.#seen = new SeenByInode(seen, before));
    const bits = new ReadBitsOfMemcgs(before, now, this.surroundings.periodMs());
    const tallies = new Map<number, ReadTally>();
    let spentMs = 0;
    for (let block = 0; block < this.#sample.firstPfns.length;) {
      if (signal.aborted) return;
      const beganMs = this.surroundings.clock.nowMs();
      block = await this.#lookFrom(block, bits, tallies, beganMs + longestSliceMs);
      const tookMs = this.surroundings.clock.nowMs() - beganMs;
      spentMs += tookMs;
      // Others have their turn for as long as this took.
      if (tookMs > 0) await this.surroundings.clock.sleep(tookMs, signal);
    }
    this.#tallies = tallies;
    this.#fitSample(spentMs);
  }

  readPageCache(memcg: Memcg, filePages: number): ReadPageCache | undefined {
    return this.#tallies.get(Number(memcg.inode))?.inPages(filePages, this.#looks);
  }

  mappedPages(memcg: Memcg, filePages: number): number | undefined {
    return this.#tallies.get(Number(memcg.inode))?.mappedPages(filePages);
  }

  async watchReads(memcg: Memcg, idleMs: number): Promise<ReadLosses | undefined> {
    const inode = Number(memcg.inode);
    if (!this.#tallies.has(inode)) return undefined;
    const sampled: WatchedFrame[] = [];
    let mappedFrames = 0;
    const sample = this.#sample;
    for (let index = 0; index < sample.known.length; index++) {
      if (sample.owner[index] !== inode >>> 0 || !isSettled(sample, Math.floor(index / framesPerBlock))) continue;
      if (sample.known[index] === known.mapped) mappedFrames++;
      else if ((sample.known[index]! & known.there) !== 0)
        sampled.push({ pfn: pfnAt(sample, index), young: this.#isYoung(index, idleMs) });
    }
    return ReadLosses.watch(this.surroundings.pageFrames, inode, sampled, mappedFrames);
  }

  #isYoung(index: number, idleMs: number): boolean {
    const sample = this.#sample;
    // A page comes in by its first read; one that was there already when it was first looked at may have come long ago.
    const isReadKnown = (sample.known[index]! & known.readAgain) !== 0 || sample.arrivalAge[index]! < oldestAge;
    return isReadKnown && this.#looks.idleMs(sample.readAge[index]!).idleAtLeastMs < idleMs * (1 - earlyAgings);
  }

  /** What a look may take. */
  #budgetMs(): number {
    return (this.surroundings.periodMs() * Math.min(this.surroundings.cpuPercent, mostPercent)) / 100;
  }

  /** What the kernel takes to tell of a frame, by some blocks all over memory. */
  async #frameMs(): Promise<number> {
    const { clock, pageFrames } = this.surroundings;
    const beganMs = clock.nowMs();
    for (let nth = 0; nth < blocksTried; nth++)
      await pageFrames.read(Math.floor((this.#frameCount * nth) / blocksTried), this.#frames);
    return (clock.nowMs() - beganMs) / (blocksTried * framesPerBlock);
  }

  /** Makes the sample as large as its budget allows by what a look took. */
  #fitSample(spentMs: number): void {
    const budgetMs = this.#budgetMs();
    const { stride } = this.#sample;
    const frames = this.#frameCount / stride;
    if (spentMs > budgetMs * tooDear && frames / 2 >= fewestFrames) this.#resample(stride * 2);
    else if (spentMs < budgetMs * cheap && stride > 1 && frames * 2 <= mostFrames) this.#resample(stride / 2);
  }

  #resample(stride: number): void {
    this.#sample = resampled(this.#sample, this.#frameCount, stride);
  }

  /** Looks at a few blocks, fewer where that takes until `endMs`. Answers the block to go on with. */
  async #lookFrom(
    first: number,
    bits: ReadBitsOfMemcgs,
    tallies: Map<number, ReadTally>,
    endMs: number,
  ): Promise<number> {
    const { clock, pageFrames } = this.surroundings;
    const { firstPfns } = this.#sample;
    let block = first;
    do {
      const count = await pageFrames.read(firstPfns[block] ?? 0, this.#frames);
      const counted = isSettled(this.#sample, block) ? tallies : undefined;
      for (let offset = 0; offset < count; offset++)
        this.#lookAt(block * framesPerBlock + offset, offset, bits, counted);
      block++;
    } while (block < Math.min(first + blocksAtOnce, firstPfns.length) && clock.nowMs() < endMs);
    return block;
  }

  /** Without tallies the frame is followed and counts in none. */
  #lookAt(index: number, offset: number, bits: ReadBitsOfMemcgs, tallies: Map<number, ReadTally> | undefined): void {
    const sample = this.#sample;
    const flags = this.#frames.flagsAt(offset);
    // Most of memory is something else.
    if ((flags & (frameFlag.lru | frameFlag.swapBacked)) !== frameFlag.lru) {
      sample.known[index] = 0;
      return;
    }
    const owner = this.#frames.memcgAt(offset);
    const meaning = bits.of(owner);
    // Of a memcg that was made since the listing: its turn comes with the next look.
    if (meaning === undefined) return;
    const tally = tallies && tallyOf(tallies, owner);
    if ((flags & (frameFlag.mapped | frameFlag.unevictable)) !== 0) {
      const isMapped = (flags & frameFlag.mapped) !== 0;
      sample.known[index] = isMapped ? known.mapped : 0;
      sample.owner[index] = owner >>> 0;
      if (isMapped) tally?.addMapped();
      else tally?.addOther();
      return;
    }
    follow(sample, index, owner >>> 0, flags, meaning);
    if ((sample.known[index]! & known.readAgain) === 0) tally?.addOther();
    else tally?.addRead(sample.readAge[index]!, sample.arrivalAge[index]!);
  }
}

function tallyOf(tallies: Map<number, ReadTally>, owner: number): ReadTally {
  let tally = tallies.get(owner);
  if (!tally) tallies.set(owner, (tally = new ReadTally()));
  return tally;
}

/** Brings what is known of a frame with unmapped page cache up to the present look. */
function follow(sample: FrameSample, index: number, owner: number, flags: number, bits: ReadBits): void {
  const before = sample.known[index]!;
  const bitIsSet = (flags & frameFlag.referenced) !== 0;
  const bit = bitIsSet ? known.bitWasSet : 0;
  const ownedBefore = sample.owner[index] === owner;
  if ((before & known.there) === 0 || !ownedBefore) {
    // What is there when the frame is first looked at, or was mapped till now, may have been there for long.
    const mayBeOld = (before & known.unseen) !== 0 || (ownedBefore && before === known.mapped) || isPutTogether(flags);
    sample.known[index] = known.there | bit;
    sample.owner[index] = owner;
    sample.readAge[index] = 0;
    sample.arrivalAge[index] = mayBeOld ? oldestAge : 0;
    return;
  }
  if (sample.arrivalAge[index]! < oldestAge) sample.arrivalAge[index]!++;
  const wasSet = (before & known.bitWasSet) !== 0;
  // The bit that a page came in with stays while its generation is not the oldest, and says nothing of a second read.
  const isClearedByAgings = (before & known.readAgain) !== 0 || sample.arrivalAge[index]! > agingsToTheOldest;
  const isRead = bitIsSet && (!wasSet || (bits === 'fresh' && isClearedByAgings));
  const isHeld = bitIsSet && wasSet && bits === 'held';
  if (isRead) sample.readAge[index] = 0;
  else if (!isHeld && sample.readAge[index]! < oldestAge) sample.readAge[index]!++;
  sample.known[index] = known.there | bit | (before & known.readAgain) | (isRead ? known.readAgain : 0);
}

/**
 * Whether a huge folio may be one that khugepaged made of page cache that was there (collapse_file in mm/khugepaged.c): nobody has read it since, nor
 * written it, nor is it mapped.
 */
function isPutTogether(flags: number): boolean {
  return (flags & (frameFlag.huge | frameFlag.referenced | frameFlag.dirty | frameFlag.writeback)) === frameFlag.huge;
}
