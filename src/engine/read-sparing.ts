import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import { fewestYoung, takesTooYoung } from './read-losses.js';
import type { Run } from './run.js';
import type { Vein } from './vein.js';

/** The share of page cache in use beyond which none of it is evicted. */
const nearlyAll = 0.9;

/** Whether hardly any page cache is cold enough, by what was seen of reads: then not even a probe is worth its losses. */
export function isAllRead(run: Run): boolean {
  if (!run.reads || run.reads.youngShare <= nearlyAll) return false;
  leaveAlone(run, run.reads.youngShare, 'read');
  return true;
}

/** The same for use of any kind that generations do not show: of the `coldPages` in old ones at most `idlePages` are idle, where that is known. */
export function isAllInUse(run: Run, coldPages: number, idlePages = Infinity): boolean {
  if (idlePages >= coldPages * (1 - nearlyAll)) return false;
  leaveAlone(run, 1 - idlePages / coldPages, 'used');
  return true;
}

function leaveAlone({ request, shortfalls }: Run, share: number, used: 'read' | 'used'): void {
  const percent = Math.round(share * 100);
  shortfalls.push(`page cache was left alone: ${percent} % of it was ${used} within ${request.agePeriods} periods`);
}

/** Whether page cache went that was read too lately: then the veins of it are closed. */
export async function takesWhatIsRead(run: Run, veins: readonly Vein[], log: Log): Promise<boolean> {
  if (!veins.some((vein) => vein.cold.type === 'file')) return false;
  const losses = await run.reads?.soFar();
  if (!losses || !takesTooYoung(losses)) return false;
  log.debug({ memcg: toText(run.request.memcg.path), ...losses }, 'page cache in use went');
  for (const vein of veins) if (vein.cold.type === 'file') vein.leftPages = 0;
  run.shortfalls.push(
    `page cache was left alone: ${losses.young} of ${losses.gone} evicted pages of a sample had been read within ` +
      `${run.request.agePeriods} periods, and the kernel takes those of its oldest generation in no order`,
  );
  return true;
}

/**
 * Whether hardly any of the page cache in generations that a run could turn to is idle: nearly all of it came there in the run, spared by the kernel, and nearly all of the
 * sample that is left was read. The kernel spares only what was read five times since it was moved, so the first evictions there would be losses.
 */
export async function isLeftToReaders({ reads }: Run, pages: number, sparedPages: number): Promise<boolean> {
  if (!reads || sparedPages <= pages * nearlyAll) return false;
  const { gone, young } = await reads.soFar();
  const youngLeft = reads.youngFrames - young;
  return youngLeft >= fewestYoung && youngLeft > (reads.frames - gone) * nearlyAll;
}
