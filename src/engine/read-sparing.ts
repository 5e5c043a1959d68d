import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import type { PageType } from './eviction.js';
import { takesTooYoung } from './read-losses.js';
import type { Run } from './run.js';
import type { Vein } from './vein.js';

/** The share of page cache in use beyond which none of it is evicted. */
const nearlyAll = 0.9;

/** Whether hardly any page cache is cold enough, by what was seen of reads: then not even a probe is worth its losses. */
export function isAllRead({ reads, request, shortfalls }: Run, type: PageType): boolean {
  if (type !== 'file' || !reads || reads.youngShare <= nearlyAll) return false;
  const percent = Math.round(reads.youngShare * 100);
  const sentence = `page cache was left alone: ${percent} % of it was read within ${request.agePeriods} periods`;
  if (!shortfalls.includes(sentence)) shortfalls.push(sentence);
  return true;
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
