import t from 'tap';
import { ReadLosses } from '../../../src/engine/read-losses.js';
import { isLeftToReaders } from '../../../src/engine/read-sparing.js';
import { startRun } from '../../../src/engine/run.js';
import { memcgOf, ModelFrames } from './frames-kernel.js';
import { never, pageBytes, periodMs } from './world.js';

const memcg = memcgOf('/a', 7n);
const request = { memcg, agePeriods: 2, periodMs, limitBytes: Infinity, types: ['file'], stepPages: 64 } as const;

/** A run that watches a sample of which so many frames were read, and of which so many are gone by now, the unread first. */
async function runWith({ read, unread, gone }: { read: number; unread: number; gone: number }) {
  const frames = new ModelFrames();
  frames.add(memcg, 'file', read + unread);
  const sampled = Array.from({ length: read + unread }, (_, pfn) => ({ pfn, young: pfn >= unread }));
  const reads = await ReadLosses.watch(frames.interfaces.pageFrames, Number(memcg.inode), sampled, 0);
  for (let pfn = 0; pfn < gone; pfn++) frames.pages[pfn] = undefined;
  return startRun(request, pageBytes, never(), reads);
}

void t.test('what the kernel spared of page cache, and was read, is left to its readers', async (t) => {
  const run = await runWith({ read: 20, unread: 80, gone: 79 });
  t.equal(await isLeftToReaders(run, 1000, 950), true);
  t.equal(await isLeftToReaders(run, 1000, 900), false, 'where others of any age are among it, some may be cold');
});

void t.test('what the kernel spared, and was not read, is gone after: it may have waited for a write', async (t) => {
  t.equal(await isLeftToReaders(await runWith({ read: 20, unread: 80, gone: 70 }), 1000, 1000), false);
  t.equal(
    await isLeftToReaders(await runWith({ read: 2, unread: 80, gone: 80 }), 1000, 1000),
    false,
    'two of a sample',
  );
  t.equal(
    await isLeftToReaders(startRun(request, pageBytes, never()), 1000, 1000),
    false,
    'where nobody watches reads',
  );
});
