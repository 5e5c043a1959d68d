import { ColdpgsError } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Memcg, PageFrameInterface } from '../kernel/kernel.js';
import type { LruGenMemcg } from '../kernel/lru-gen.js';
import { frameFlag, PageFrames } from '../kernel/page-frames.js';
import { framesPerBlock, sampledBlocks } from './frame-sample.js';
import { Looks, oldestAge } from './looks.js';
import { type ReadBits, readBits } from './read-bits.js';
import { type ReadPageCache, ReadTally } from './read-page-cache.js';
import type { ReadWitness, SeenMemcg } from './tracker.js';

export interface WitnessSurroundings {
  readonly pageFrames: PageFrameInterface;
  readonly clock: Clock;
  /** The scan period in milliseconds; 0 is off. */
  periodMs(): number;
  /** How much of one core it may take, in percent. */
  readonly cpuPercent: number;
}

/** A smaller sample would say nothing, a larger one no more. */
const sampleFrames = { fewest: 8 * 1024, most: 1024 * 1024 } as const;
/** Blocks looked at before others have their turn. */
const blocksAtOnce = 16;
/** Looks that follow each other sooner than so many of a period are one. */
const shortestPause = 0.25;

/** After so many agings any page that is never promoted is in the oldest generation. */
const agingsToTheOldest = 3;

/** What is known of a sampled frame; none of it where no page cache is that only read(2) can reach. */
const known = { there: 1, bitWasSet: 2, readAgain: 4 } as const;

/** The frames of a sample, from look to look. Ages are in looks, a byte each. */
interface Sample {
  readonly firstPfns: Uint32Array;
  readonly known: Uint8Array;
  /** Lower half of the inode of the memcg. */
  readonly owner: Uint32Array;
  readonly readAge: Uint8Array;
  readonly arrivalAge: Uint8Array;
}

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
  #sample = emptySample(new Uint32Array(0));
  #frameCount = 0;
  #frameMs = 0;
  #listed = new Map<number, LruGenMemcg>();
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
  }

  async stop(): Promise<void> {
    this.forget();
  }

  forget(): void {
    this.#looks.forget();
    this.#sample = emptySample(new Uint32Array(0));
    this.#tallies = new Map();
    this.#listed = new Map();
  }

  async observe(seen: readonly SeenMemcg[], atMs: number, signal: AbortSignal): Promise<void> {
    const { latestMs } = this.#looks;
    if (latestMs !== undefined && atMs - latestMs < this.surroundings.periodMs() * shortestPause) return;
    this.#chooseSample();
    this.#looks.add(atMs);
    const listed = new Map(seen.map((one) => [Number(one.memcg.inode), one.listed]));
    const bits = new Map<number, ReadBits>();
    for (const [inode, now] of listed)
      bits.set(inode, readBits(this.#listed.get(inode), now, this.surroundings.periodMs()));
    this.#listed = listed;
    const tallies = new Map<number, ReadTally>();
    let spentMs = 0;
    for (let block = 0; block < this.#sample.firstPfns.length; block += blocksAtOnce) {
      if (signal.aborted) return;
      const beganMs = this.surroundings.clock.nowMs();
      await this.#lookAtBlocks(block, bits, tallies);
      const tookMs = this.surroundings.clock.nowMs() - beganMs;
      spentMs += tookMs;
      // Others have their turn for as long as this took.
      if (tookMs > 0) await this.surroundings.clock.sleep(tookMs, signal);
    }
    this.#tallies = tallies;
    this.#frameMs = spentMs / (this.#sample.firstPfns.length * framesPerBlock);
  }

  readPageCache(memcg: Memcg): ReadPageCache | undefined {
    const inode = Number(memcg.inode);
    const listed = this.#listed.get(inode);
    return listed && this.#tallies.get(inode)?.inPages(filePages(listed), this.#looks);
  }

  /** The sample is as large as the budget allows by what the last look took; ages are lost when it changes, so it changes only for much. */
  #chooseSample(): void {
    const { cpuPercent } = this.surroundings;
    const affordable = (this.surroundings.periodMs() * (cpuPercent / 100)) / this.#frameMs;
    const wanted = Math.min(sampleFrames.most, Math.max(sampleFrames.fewest, Math.floor(affordable) || 0));
    const present = this.#sample.firstPfns.length * framesPerBlock;
    const isWhole = present >= this.#frameCount;
    if (present > 0 && present <= wanted * 2 && (isWhole || present >= wanted / 2)) return;
    this.#sample = emptySample(sampledBlocks(this.#frameCount, wanted));
    this.#looks.forget();
    this.#listed = new Map();
  }

  async #lookAtBlocks(
    first: number,
    bits: ReadonlyMap<number, ReadBits>,
    tallies: Map<number, ReadTally>,
  ): Promise<void> {
    const { firstPfns } = this.#sample;
    for (let block = first; block < Math.min(first + blocksAtOnce, firstPfns.length); block++) {
      const count = await this.surroundings.pageFrames.read(firstPfns[block] ?? 0, this.#frames);
      for (let offset = 0; offset < count; offset++)
        this.#lookAt(block * framesPerBlock + offset, offset, bits, tallies);
    }
  }

  #lookAt(index: number, offset: number, bits: ReadonlyMap<number, ReadBits>, tallies: Map<number, ReadTally>): void {
    const sample = this.#sample;
    const flags = this.#frames.flagsAt(offset);
    const owner = this.#frames.memcgAt(offset);
    const meaning = bits.get(owner);
    if ((flags & (frameFlag.lru | frameFlag.swapBacked)) !== frameFlag.lru || meaning === undefined) {
      sample.known[index] = 0;
      return;
    }
    let tally = tallies.get(owner);
    if (!tally) tallies.set(owner, (tally = new ReadTally()));
    if ((flags & (frameFlag.mapped | frameFlag.unevictable)) !== 0) {
      sample.known[index] = 0;
      tally.addOther();
      return;
    }
    follow(sample, index, owner >>> 0, (flags & frameFlag.referenced) !== 0, meaning, this.#looks.count === 1);
    if ((sample.known[index]! & known.readAgain) === 0) tally.addOther();
    else tally.addRead(sample.readAge[index]!, sample.arrivalAge[index]!);
  }
}

/** Brings what is known of a frame with unmapped page cache up to the present look. */
function follow(
  sample: Sample,
  index: number,
  owner: number,
  bitIsSet: boolean,
  bits: ReadBits,
  isFirst: boolean,
): void {
  const before = sample.known[index]!;
  const bit = bitIsSet ? known.bitWasSet : 0;
  if ((before & known.there) === 0 || sample.owner[index] !== owner) {
    sample.known[index] = known.there | bit;
    sample.owner[index] = owner;
    sample.readAge[index] = 0;
    // What is there at the first look may have been there for long.
    sample.arrivalAge[index] = isFirst ? oldestAge : 0;
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

function filePages({ nodes }: LruGenMemcg): number {
  return nodes.reduce(
    (sum, { generations }) => sum + generations.reduce((pages, generation) => pages + generation.filePages, 0),
    0,
  );
}

function emptySample(firstPfns: Uint32Array): Sample {
  const frames = firstPfns.length * framesPerBlock;
  return {
    firstPfns,
    known: new Uint8Array(frames),
    owner: new Uint32Array(frames),
    readAge: new Uint8Array(frames),
    arrivalAge: new Uint8Array(frames),
  };
}
