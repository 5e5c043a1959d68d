import { ColdpgsError, sentenceOf } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import type { LruGenMemcg } from '../kernel/lru-gen.js';
import type { AddressRange } from '../kernel/pagemap.js';
import type { EvictionSteps } from './eviction-steps.js';
import type { PageType } from './eviction.js';
import { cameBackAtOnce } from './probe.js';
import { fewPages, type Run } from './run.js';
import type { IdleFrames, Tracker } from './tracker.js';

/** Pages of one type that are idle for long enough, and where anonymous memory of them is to go. */
interface Share {
  readonly type: PageType;
  readonly idleMs: number;
  readonly toDevice: boolean;
}

/**
 * The part of a run that goes by addresses: mapped pages that a tracker knows to be idle, one by one, however young the kernel holds them to be. Its generations
 * leave alone what idle page tracking saw in use since they last looked, however long ago that was (folio_set_young in mm/page_idle.c).
 */
export class PageOut {
  constructor(
    private readonly kernel: Pick<Kernel, 'pageOut' | 'memcgs' | 'pageBytes'>,
    private readonly clock: Clock,
    private readonly steps: Pick<EvictionSteps, 'listed' | 'pageOut' | 'refaults' | 'writtenPages'>,
    private readonly tracker: Pick<Tracker, 'idleFrames'>,
  ) {}

  /**
   * Sends out what is known to be idle as long as the run asks, within its limit. Answers what of it is not freed yet; undefined where that is nothing, as with
   * other trackers. Throws MEMCG_GONE, CANCELLED.
   */
  async run(run: Run): Promise<Unfreed | undefined> {
    const { memcg, agePeriods, narrow } = run.request;
    // Who asks for no age, or for less than what generations show, means generations.
    if (agePeriods === 0 || narrow) return undefined;
    const room = { pages: run.leftPages };
    const freedBefore = run.freedPages;
    let sentPages = 0;
    let before: LruGenMemcg | undefined;
    for (const share of sharesOf(run)) {
      const frames = this.tracker.idleFrames?.(memcg, share.idleMs, this.clock.nowMs());
      if (!frames) continue;
      if (await this.#isObstructed(run)) return undefined;
      before ??= await this.steps.listed(memcg);
      sentPages += await this.#ofShare(run, share, frames, room);
    }
    const pages = sentPages - (run.freedPages - freedBefore);
    if (!before || pages <= 0) return undefined;
    // The generations may take what is written of it, and what has not been sent yet.
    run.leftPages = Math.min(run.leftPages, room.pages + (await this.steps.writtenPages(run)));
    return { pages, before };
  }

  /** Answers the pages sent. */
  async #ofShare(run: Run, share: Share, frames: IdleFrames, room: Room): Promise<number> {
    const { memcg } = run.request;
    const sent = { pages: 0, refaultsBefore: await this.steps.refaults(memcg, share.type), cameBack: false };
    for (const pid of await this.kernel.memcgs.tasks(memcg.path)) {
      if (hasEnded(run, room) || sent.cameBack) break;
      try {
        await this.#ofProcess(run, pid, share, frames, room, sent);
      } catch (failure) {
        if (!(failure instanceof ColdpgsError) || failure.code !== 'KERNEL_REFUSED') throw failure;
        run.shortfalls.push(`${share.type} memory was not sent out by address: ${sentenceOf(failure)}`);
      }
    }
    return sent.pages;
  }

  /** What is found idle is sent out at once, a step at a time, before it can be used again. Ends when what went comes back. */
  async #ofProcess(run: Run, pid: number, share: Share, frames: IdleFrames, room: Room, sent: Sent): Promise<void> {
    const { stepPages } = run.request;
    const { type, toDevice } = share;
    const { pageBytes } = this.kernel;
    for await (const { start, pfns } of this.kernel.pageOut.frames(pid))
      for (let first = 0; first < pfns.length; first += stepPages) {
        if (hasEnded(run, room)) return;
        const idle = await frames.among(pfns.subarray(first, first + stepPages), type);
        const ranges = rangesOf(idle, start + first * pageBytes, pageBytes, Math.min(room.pages, run.leftPages));
        if (ranges.length === 0) continue;
        const { sentPages, refaultPages } = await this.steps.pageOut(run, { pid, ranges, type, toDevice });
        room.pages -= sentPages;
        sent.pages += sentPages;
        sent.cameBack = cameBackAtOnce(sent.pages, refaultPages - sent.refaultsBefore);
        if (!sent.cameBack) continue;
        run.shortfalls.push(
          `sending out ${type} memory by address stopped: more than half of it was used again at once`,
        );
        return;
      }
  }

  async #isObstructed(run: Run): Promise<boolean> {
    const obstacle = await this.kernel.pageOut.obstacle();
    if (obstacle === undefined) return false;
    run.shortfalls.push(
      `what was ever in use since it came in may stay until the second write of a threshold, as it cannot be sent out by address: ${obstacle}`,
    );
    return true;
  }
}

/** What is in swap, or on its way there, and not freed yet, and the generations as they were before it was sent. */
export interface Unfreed {
  readonly pages: number;
  readonly before: LruGenMemcg;
}

/** What a run may still send out. */
interface Room {
  pages: number;
}

/** What a run has sent out of a share, and whether it is in use all the same. */
interface Sent {
  pages: number;
  readonly refaultsBefore: number;
  cameBack: boolean;
}

function hasEnded(run: Run, room: Room): boolean {
  return run.signal.aborted || room.pages <= 0 || run.leftPages <= 0;
}

/** Whether a tracker that knows each page of a memcg has seen some idle for so long. */
export function knowsIdle(
  tracker: Pick<Tracker, 'idleFrames' | 'cohorts'>,
  memcg: Memcg,
  idleMs: number,
  atMs: number,
): boolean {
  if (tracker.idleFrames?.(memcg, idleMs, atMs) === undefined) return false;
  const idle = tracker.cohorts(memcg).filter(({ idleAtLeastMs }) => idleAtLeastMs >= idleMs);
  return idle.reduce((sum, { pages }) => sum + pages, 0) >= fewPages;
}

/** What a run asks for, the part of anonymous memory that is to go to a swap device, past zswap, first. */
function sharesOf({ request }: Run): Share[] {
  const { types, agePeriods, periodMs, deviceIdleMs = Infinity } = request;
  const idleMs = agePeriods * periodMs;
  return types.flatMap((type): Share[] => {
    const all = { type, idleMs, toDevice: false };
    if (type === 'file' || deviceIdleMs === Infinity) return [all];
    const toDevice = { type, idleMs: Math.max(idleMs, deviceIdleMs), toDevice: true };
    return deviceIdleMs <= idleMs ? [toDevice] : [toDevice, all];
  });
}

/** The pages that are marked, as ranges of addresses: at most `mostPages`. */
function rangesOf(marked: Uint8Array, startAddress: number, pageBytes: number, mostPages: number): AddressRange[] {
  const ranges: { start: number; end: number }[] = [];
  let left = mostPages;
  for (let index = 0; index < marked.length && left >= 1; index++) {
    if (marked[index] === 0) continue;
    left--;
    const start = startAddress + index * pageBytes;
    const last = ranges.at(-1);
    if (last?.end === start) last.end = start + pageBytes;
    else ranges.push({ start, end: start + pageBytes });
  }
  return ranges;
}
