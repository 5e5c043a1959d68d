import { ColdpgsError, sentenceOf } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import type { AddressRange } from '../kernel/pagemap.js';
import type { EvictionSteps } from './eviction-steps.js';
import type { PageType } from './eviction.js';
import type { Run } from './run.js';
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
    private readonly steps: Pick<EvictionSteps, 'pageOut'>,
    private readonly tracker: Pick<Tracker, 'idleFrames'>,
  ) {}

  /** Sends out what is known to be idle as long as the run asks, within its limit. Nothing with other trackers. Throws MEMCG_GONE, CANCELLED. */
  async run(run: Run): Promise<void> {
    const { memcg, agePeriods, narrow } = run.request;
    // Who asks for no age, or for less than what generations show, means generations.
    if (agePeriods === 0 || narrow) return;
    const room = { pages: run.leftPages };
    for (const share of sharesOf(run)) {
      const frames = this.tracker.idleFrames?.(memcg, share.idleMs, this.clock.nowMs());
      if (!frames) continue;
      if (await this.#isObstructed(run)) return;
      for (const pid of await this.kernel.memcgs.tasks(memcg.path))
        try {
          await this.#ofProcess(run, pid, share, frames, room);
        } catch (failure) {
          if (!(failure instanceof ColdpgsError) || failure.code !== 'KERNEL_REFUSED') throw failure;
          run.shortfalls.push(`${share.type} memory was not sent out by address: ${sentenceOf(failure)}`);
        }
    }
  }

  /** What is found idle is sent out at once, a step at a time, before it can be used again. `room`: what may be sent still. */
  async #ofProcess(run: Run, pid: number, share: Share, frames: IdleFrames, room: { pages: number }): Promise<void> {
    const { stepPages } = run.request;
    const { type, toDevice } = share;
    for await (const { start, pfns } of this.kernel.pageOut.frames(pid))
      for (let first = 0; first < pfns.length; first += stepPages) {
        const mostPages = Math.min(room.pages, run.leftPages);
        if (run.signal.aborted || mostPages <= 0) return;
        const idle = await frames.among(pfns.subarray(first, first + stepPages), type);
        const ranges = rangesOf(idle, start + first * this.kernel.pageBytes, this.kernel.pageBytes, mostPages);
        if (ranges.length > 0) room.pages -= await this.steps.pageOut(run, { pid, ranges, type, toDevice });
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

/** Whether a tracker that knows each page of a memcg has seen some idle for so long. */
export function knowsIdle(
  tracker: Pick<Tracker, 'idleFrames' | 'cohorts'>,
  memcg: Memcg,
  idleMs: number,
  atMs: number,
): boolean {
  if (tracker.idleFrames?.(memcg, idleMs, atMs) === undefined) return false;
  return tracker.cohorts(memcg).some(({ idleAtLeastMs }) => idleAtLeastMs >= idleMs);
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
