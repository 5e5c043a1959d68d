import t from 'tap';
import { ReadLosses } from '../../../src/engine/read-losses.js';
import type { IdleCohort, ReadWitness, SeenMemcg, Tracker } from '../../../src/engine/tracker.js';
import { WatchedTracker } from '../../../src/engine/watched-tracker.js';
import { ColdpgsError } from '../../../src/errors.js';
import { silentLog } from '../../../src/log.js';
import { memcgOf, ModelFrames, seenMemcg } from './frames-kernel.js';
import { never } from './world.js';

const memcg = memcgOf('/a', 7n);
const cohort: IdleCohort = { type: 'file', pages: 5, idleAtLeastMs: 0, idleAtMostMs: 1000 };

/** A tracker and a witness that note what is asked of them, in order. */
function watched({ obstacle, failure }: { readonly obstacle?: string; readonly failure?: Error } = {}) {
  const asked: string[] = [];
  const note = (what: string) => async () => void asked.push(what);
  const tracker: Tracker = {
    name: 'damon',
    readWitness: undefined,
    start: note('tracker starts'),
    stop: note('tracker stops'),
    beforeAgings: note('tracker looks before agings'),
    observe: note('tracker looks'),
    cohorts: () => [cohort],
    idleFrames: (_memcg, idleMs, atMs) => (asked.push(`idle for ${idleMs} at ${atMs}`), undefined),
    forget: () => void asked.push('tracker forgets'),
  };
  const witness: ReadWitness = {
    name: 'flags',
    start: async () => {
      if (obstacle !== undefined) throw new ColdpgsError('TRACKER_UNAVAILABLE', 'EOPNOTSUPP', obstacle);
    },
    stop: note('witness stops'),
    observe: async (seen: readonly SeenMemcg[]) => {
      if (failure) throw failure;
      asked.push(`witness looks at ${seen.length}`);
    },
    readPageCache: () => undefined,
    mappedPages: () => undefined,
    watchReads: async (of) => ReadLosses.watch(new ModelFrames().interfaces.pageFrames, Number(of.inode), [], 0),
    forget: () => void asked.push('witness forgets'),
  };
  return { asked, it: new WatchedTracker(tracker, witness, silentLog) };
}

void t.test('runs are watched by the witness, ages are those of the tracker', async (t) => {
  const { it, asked } = watched();
  await it.start();
  t.equal(it.name, 'damon');
  t.equal(it.readWitness, 'flags (evictions only)');
  t.same(it.cohorts(memcg), [cohort]);
  t.ok(await it.watchReads(memcg, 1000));
  it.idleFrames(memcg, 1000, 5000);
  await it.stop();
  t.same(asked, ['tracker starts', 'idle for 1000 at 5000', 'tracker stops', 'witness stops']);
});

void t.test('the witness looks before agings at what the look before has seen', async (t) => {
  const { it, asked } = watched();
  await it.start();
  asked.length = 0;
  await it.beforeAgings(0, never());
  await it.observe([seenMemcg(memcg, {})], 0, never());
  await it.beforeAgings(1000, never());
  it.forget();
  await it.beforeAgings(2000, never());
  t.same(asked, [
    'witness looks at 0',
    'tracker looks before agings',
    'tracker looks',
    'witness looks at 1',
    'tracker looks before agings',
    'tracker forgets',
    'witness forgets',
    'witness looks at 0',
    'tracker looks before agings',
  ]);
});

void t.test('where the kernel has nothing for a witness, the tracker runs without', async (t) => {
  const { it, asked } = watched({ obstacle: 'There is no /proc/kpageflags.' });
  await it.start();
  await it.beforeAgings(0, never());
  t.equal(it.readWitness, undefined);
  t.equal(await it.watchReads(memcg, 1000), undefined);
  t.same(asked, ['tracker starts', 'tracker looks before agings']);
});

void t.test('a witness that fails does not keep the tracker from looking', async (t) => {
  const { it, asked } = watched({ failure: new Error('EPERM') });
  await it.start();
  await t.rejects(it.beforeAgings(0, never()), { message: 'EPERM' });
  t.same(asked, ['tracker starts', 'tracker looks before agings']);
});
