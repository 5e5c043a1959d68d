import fc from 'fast-check';
import t from 'tap';
import { IdleStatsAccounts } from '../../../src/engine/idle-stats.js';
import { defaultBuckets, type Histogram, idleRows } from '../../../src/engine/histogram.js';
import { silentLog } from '../../../src/log.js';
import type { IdleStats } from '../../../src/engine/idle-stats.js';
import { pageBytes, pages, type World, world } from './world.js';

const sumOf = ({ histogram }: IdleStats): number => histogram.reduce((sum, bytes) => sum + bytes, 0) / pageBytes;

/** A machine with 8 MiB of idle anonymous memory, looked at four times. */
async function idle(): Promise<World> {
  const it = await world();
  it.machine.anon('/test', { mib: 8 });
  await it.periods(4);
  return it;
}

/** Does something while the look at the next period is under way: when its first memory.stat is read. */
async function duringLook(it: World, what: () => void): Promise<void> {
  it.machine.file('/test', { mib: 1, access: 'mapped' });
  const { memory } = it.machine.kernel;
  const stat = memory.stat.bind(memory);
  let done = false;
  memory.stat = async (path) => {
    if (!done) what();
    done = true;
    return stat(path);
  };
  await it.periods(1);
  t.ok(done, 'it was under way');
}

void t.test(
  'a period, buckets or use_hierarchy written while a look is under way: zeros, and then a whole round',
  async (t) => {
    const writes: ((it: World) => void)[] = [
      (it) => it.engine.setScanPeriod(10),
      (it) => it.engine.kidled.setBuckets(it.at('/test'), defaultBuckets),
      (it) => (it.engine.kidled.useHierarchy = 1),
    ];
    for (const write of writes) {
      const it = await idle();
      t.equal(sumOf(it.engine.kidled.stats(it.at('/test'), 'own')), pages(8));
      await duringLook(it, () => write(it));
      const rounds: [number, number][] = [];
      for (let round = 0; round < 3; round++) {
        const stats = it.engine.kidled.stats(it.at('/test'), 'own');
        rounds.push([stats.pageScans, sumOf(stats)]);
        await it.periods(1);
      }
      t.same(
        rounds.map(([scans]) => scans),
        [0, 1, 2],
        'the look that was under way does not count, the next one ends a whole round',
      );
      t.ok(rounds[0]?.[1] === 0 && (rounds[1]?.[1] ?? 0) >= pages(8), JSON.stringify(rounds));
    }
  },
);

void t.test('a written period is told of in the log, also one that changes nothing', async (t) => {
  const said: object[] = [];
  const info = (details: object, sentence: string): void => void said.push({ sentence, ...details });
  const it = await world({ log: { ...silentLog, info } });
  for (const seconds of [30, 30, 0]) it.engine.setScanPeriod(seconds);
  const sentence = 'the scan period was written';
  t.same(
    said.filter((one) => 'sentence' in one && one.sentence === sentence),
    [
      { sentence, seconds: 30, before: 10 },
      { sentence, seconds: 30, before: 30 },
      { sentence, seconds: 0, before: 30 },
    ],
  );
});

void t.test('statistics are made anew after every change, and only then', async (t) => {
  const changes: Record<string, (it: World) => unknown> = {
    'a look': (it) => it.periods(1),
    'a run': (it) => it.engine.kidled.evicted(it.at('/test'), 'anon', pageBytes),
    buckets: (it) => it.engine.kidled.setBuckets(it.at('/test'), [1]),
    'the period': (it) => it.engine.setScanPeriod(10),
    use_hierarchy: (it) => (it.engine.kidled.useHierarchy = 1),
    scan_target: (it) => (it.engine.kidled.scanTarget = 2),
  };
  for (const [what, change] of Object.entries(changes)) {
    const it = await idle();
    const memcg = it.at('/test');
    const shown = (): IdleStats => it.engine.kidled.stats(memcg, 'own');
    const before = shown();
    t.equal(shown(), before, `nothing before ${what}`);
    await change(it);
    const after = shown();
    t.not(after, before, what);
    t.notSame(after, before, what);
  }
});

void t.test('switched off while a look is under way: zeros for good', async (t) => {
  const it = await idle();
  await duringLook(it, () => it.engine.setScanPeriod(0));
  await it.periods(5);
  t.equal(sumOf(it.engine.kidled.stats(it.at('/test'), 'own')), 0);
  t.same(it.engine.tracker.cohorts(it.at('/test')), [], 'and nothing is remembered');
});

void t.test('a shorter period that is written while a look is under way holds from then on', async (t) => {
  const it = await idle();
  await duringLook(it, () => it.engine.setScanPeriod(2));
  await it.clock.advance(6500);
  t.equal(it.engine.kidled.stats(it.at('/test'), 'own').pageScans, 3);
});

void t.test('a memcg that is removed while a look is under way is no trouble to the others', async (t) => {
  const it = await idle();
  it.machine.anon('/other', { mib: 4 });
  await it.periods(4);
  const other = it.at('/other');
  await duringLook(it, () => it.machine.rmdir('/other'));
  t.equal(sumOf(it.engine.kidled.stats(it.at('/test'), 'own')), pages(8));
  await it.periods(1);
  t.equal(sumOf(it.engine.kidled.stats(it.at('/'), 'tree')), sumOf(it.engine.kidled.stats(it.at('/test'), 'own')));
  t.equal(it.engine.isLive(other), false);
});

void t.test('memory.stat that cannot be read leaves the ages as they are', async (t) => {
  const it = await idle();
  it.machine.failNext('stat', new Error('EIO'), 1);
  it.machine.anon('/test', { mib: 1 });
  await it.periods(3);
  t.ok(sumOf(it.engine.kidled.stats(it.at('/test'), 'own')) >= pages(8));
});

/** A histogram with one number of pages in each of its cells. */
function histogram(count: number, columns: number): Histogram {
  return new Float64Array(idleRows.length * columns).fill(count);
}

void t.test('whatever is written between rounds: what is shown is of whole rounds after the last reset', async (t) => {
  const memcg = { path: '/a', inode: 1n };
  const step = fc.constantFrom('round', 'buckets', 'all');
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const accounts = new IdleStatsAccounts((path) => (path === '/' ? { path, inode: 2n } : memcg));
      const [account] = accounts.admit([memcg]);
      if (!account) return false;
      accounts.endRound([], { pages: true, slab: false });
      let roundsSince = 0;
      return steps.every((what, index) => {
        if (what === 'round') {
          const buckets = accounts.bucketsOf(memcg);
          accounts.endRound([{ account, buckets, histogram: histogram(index, buckets.length) }], {
            pages: true,
            slab: false,
          });
          roundsSince++;
        } else {
          if (what === 'all') accounts.resetAll();
          else accounts.setBuckets(memcg, [1, 2 + (index % 9)]);
          roundsSince = -1;
        }
        const stats = accounts.stats(memcg, 'own');
        const shown = stats.histogram[0] ?? 0;
        if (stats.pageScans !== Math.max(0, roundsSince)) return false;
        return roundsSince < 1 ? shown === 0 : what !== 'round' || shown === index;
      });
    }),
  );
  t.pass();
});

void t.test('results for buckets that were changed meanwhile are not taken', async (t) => {
  const memcg = { path: '/a', inode: 1n };
  const accounts = new IdleStatsAccounts(() => undefined);
  const [account] = accounts.admit([memcg]);
  if (!account) throw new Error('there is no account');
  for (let round = 0; round < 3; round++) accounts.endRound([], { pages: true, slab: false });
  const buckets = accounts.bucketsOf(memcg);
  accounts.setBuckets(memcg, [...buckets]);
  for (let round = 0; round < 3; round++)
    accounts.endRound([{ account, buckets, histogram: histogram(7, buckets.length) }], { pages: true, slab: false });
  t.equal(accounts.stats(memcg, 'own').histogram[0], 0);
});
