import fc from 'fast-check';
import t from 'tap';
import { agePeriodsOf, columnOf, defaultBuckets } from '../../../src/engine/histogram.js';
import { MglruTracker } from '../../../src/engine/mglru-tracker.js';
import type { IdleCohort, ReadWitness, SeenMemcg } from '../../../src/engine/tracker.js';
import { ColdpgsError } from '../../../src/errors.js';
import type { LruGenMemcg } from '../../../src/kernel/lru-gen.js';
import type { PageSet } from '../../../src/kernel/simulated/page-set.js';
import { never, pages, periodMs, type World, world, type WorldOptions } from './world.js';

const cohortsOf = (it: World, path = '/test'): readonly IdleCohort[] => it.engine.tracker.cohorts(it.at(path));

function pagesIn(cohorts: readonly IdleCohort[], type: 'anon' | 'file'): number {
  return cohorts.reduce((sum, one) => sum + (one.type === type ? one.pages : 0), 0);
}

/** What lru_gen lists of a memcg, all generations together. */
async function listedPages(it: World, type: 'anonPages' | 'filePages', path = '/test'): Promise<number> {
  const listed = await it.machine.kernel.lruGen.readOne(path);
  return (listed?.nodes ?? []).flatMap(({ generations }) => generations).reduce((sum, one) => sum + one[type], 0);
}

/** Pages by the column of their age, -1 before the first. */
function columns(cohorts: readonly IdleCohort[]): Record<string, number> {
  const byColumn: Record<string, number> = {};
  for (const one of cohorts) {
    const column = columnOf(agePeriodsOf(one, periodMs), defaultBuckets);
    byColumn[column] = (byColumn[column] ?? 0) + one.pages;
  }
  return byColumn;
}

void t.test(
  'anonymous memory that is left lying gets older with every look, for as long as there are ages',
  async (t) => {
    const it = await world();
    it.machine.anon('/test', { mib: 8 });
    const ages: number[] = [];
    for (let period = 0; period < 300; period++) {
      await it.periods(1);
      ages.push(Math.min(...cohortsOf(it).map((one) => agePeriodsOf(one, periodMs))));
    }
    t.ok(
      ages.every((age, period) => Math.abs(age - Math.min(255, period)) <= 2),
      ages.join(' '),
    );
  },
);

void t.test('what is used again is young again', async (t) => {
  const it = await world();
  const set = it.machine.anon('/test', { mib: 8 });
  it.machine.anon('/test', { mib: 16 });
  await it.periods(20);
  it.machine.touch(set);
  await it.periods(2);
  const byColumn = columns(cohortsOf(it));
  t.equal(byColumn[3], pages(16));
  t.equal(pagesIn(cohortsOf(it), 'anon'), pages(24));
  t.equal((byColumn[-1] ?? 0) + (byColumn[0] ?? 0), pages(8));
});

void t.test('sets that came at different times keep their ages, however often they are folded together', async (t) => {
  const it = await world();
  for (const mib of [1, 2, 4, 8]) {
    it.machine.anon('/test', { mib });
    await it.periods(12);
  }
  t.same(columns(cohortsOf(it)), { 2: pages(8), 3: pages(4), 4: pages(2 + 1) });
});

void t.test('page cache that was read once ages from when it came, wherever the kernel puts it', async (t) => {
  for (const release of ['6.12.0', '7.2.0']) {
    const it = await world({ release, newCacheIsOld: true });
    it.machine.anon('/test', { mib: 32, touchedEveryMs: 500 });
    await it.periods(30);
    it.machine.file('/test', { mib: 8 });
    await it.periods(4);
    t.equal(columns(cohortsOf(it))[1], pages(8), release);
  }
});

void t.test(
  'at most two periods too old where it came among mapped page cache that was just leaving for the youngest',
  async (t) => {
    const it = await world({ release: '6.12.0', newCacheIsOld: true });
    it.machine.file('/test', { mib: 32, access: 'mapped', touchedEveryMs: 500 });
    await it.periods(30);
    it.machine.file('/test', { mib: 8 });
    await it.periods(20);
    const ages = cohortsOf(it).map((one) => [agePeriodsOf(one, periodMs), one.pages]);
    t.same(
      ages.filter(([age = 0]) => age >= 18 && age <= 22).map(([, count]) => count),
      [pages(8)],
      JSON.stringify(ages),
    );
  },
);

void t.test('what an eviction showed to be in use is young, for a while', async (t) => {
  const it = await world();
  it.machine.file('/test', { mib: 16, touchedEveryMs: 2000 });
  it.machine.file('/test', { mib: 16 });
  await it.periods(10);
  t.equal(columns(cohortsOf(it))[-1] ?? 0, 0, 'agings do not see read(2)');
  it.engine.tracker.learn?.(it.at('/test'), 'file', 0.5);
  await it.periods(1);
  t.equal(columns(cohortsOf(it))[-1], pages(16));
  await it.periods(5);
  t.equal(columns(cohortsOf(it))[-1], pages(16), 'it still is');
  await it.periods(10);
  t.equal(columns(cohortsOf(it))[-1] ?? 0, 0, 'nobody has confirmed it for long');
});

void t.test('a probe that comes back teaches it', async (t) => {
  const it = await world({ newCacheIsOld: true });
  it.machine.file('/test', { mib: 32, touchedEveryMs: 400 });
  it.engine.global.mode = 1;
  await it.letAge('/test', 2);
  const inUse = (): number => cohortsOf(it).reduce((sum, one) => sum + (one.idleAtLeastMs === 0 ? one.pages : 0), 0);
  t.ok(inUse() < pages(16));
  await it.reclaim('/test', 2);
  await it.periods(1);
  t.ok(inUse() >= pages(16), `${inUse()} pages`);
});

void t.test(
  'a memcg that lost its lines in one listing is as it was; one that lacks its youngest as well',
  async (t) => {
    const it = await world();
    it.machine.anon('/test', { mib: 8 });
    await it.periods(20);
    const before = columns(cohortsOf(it));
    const { lruGen } = it.machine.kernel;
    const read = lruGen.read.bind(lruGen);
    lruGen.read = async () =>
      (await read()).map((one): LruGenMemcg => {
        if (one.path !== '/test') return one;
        return {
          ...one,
          nodes: one.nodes.map(({ node, generations }) => ({ node, generations: generations.slice(0, 1) })),
        };
      });
    await it.periods(1);
    t.same(columns(cohortsOf(it)), before);
    lruGen.read = read;
    await it.periods(1);
    t.equal(columns(cohortsOf(it))[3], pages(8));
  },
);

void t.test('a clock that goes backwards makes nothing negative, and nothing older', async (t) => {
  const it = await world();
  it.machine.anon('/test', { mib: 8 });
  it.machine.file('/test', { mib: 8 });
  await it.periods(10);
  const tracker = new MglruTracker(() => periodMs);
  const seen = async (): Promise<SeenMemcg[]> => {
    const listed = await it.machine.kernel.lruGen.readOne('/test');
    return listed ? [{ memcg: it.at('/test'), listed }] : [];
  };
  for (const atMs of [100_000, 110_000, 20_000, 0, 111_000]) {
    await tracker.observe(await seen(), atMs);
    const cohorts = tracker.cohorts(it.at('/test'));
    t.ok(cohorts.every((one) => one.pages > 0 && one.idleAtLeastMs >= 0 && one.idleAtMostMs >= one.idleAtLeastMs));
    t.equal(pagesIn(cohorts, 'anon') + pagesIn(cohorts, 'file'), pages(16));
  }
});

void t.test('all is forgotten when it is told so, and of memcgs that are gone', async (t) => {
  const it = await world();
  for (const path of ['/a', '/b']) it.machine.anon(path, { mib: 8 });
  await it.periods(5);
  const gone = it.at('/a');
  it.machine.rmdir('/a');
  await it.periods(1);
  t.same(it.engine.tracker.cohorts(gone), []);
  it.engine.tracker.forget();
  t.same(cohortsOf(it, '/b'), []);
});

/** One thing that happens to a simulated machine. */
const anyEvent = fc.oneof(
  fc.record({
    what: fc.constantFrom('anon' as const, 'mapped' as const, 'read' as const),
    mib: fc.integer({ min: 1, max: 64 }),
    everyMs: fc.constantFrom(undefined, 700, 4000, 15_000, 45_000, 130_000),
  }),
  fc.record({ what: fc.constant('touch' as const), which: fc.nat(20) }),
  fc.record({ what: fc.constant('drop' as const), which: fc.nat(20) }),
  fc.record({
    what: fc.constant('rhythm' as const),
    which: fc.nat(20),
    everyMs: fc.constantFrom(undefined, 900, 25_000),
  }),
  fc.record({ what: fc.constant('age' as const), times: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ what: fc.constant('reclaim' as const) }),
  fc.record({ what: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 60_000 }) }),
);

type Event = typeof anyEvent extends fc.Arbitrary<infer Value> ? Value : never;

/** Does one after the other on a new machine; calls `check` whenever a look has just been made. */
async function live(
  events: readonly Event[],
  options: WorldOptions,
  check: (it: World) => Promise<void>,
): Promise<void> {
  const it = await world(options);
  it.engine.global.mode = 3;
  const sets: PageSet[] = [it.machine.anon('/test', { mib: 4 })];
  for (const event of events) {
    const set = 'which' in event ? sets[event.which % sets.length] : undefined;
    if (event.what === 'wait') await it.clock.advance(event.ms);
    else if (event.what === 'touch' && set) it.machine.touch(set);
    else if (event.what === 'drop' && set && set !== sets[0]) it.machine.drop(set);
    else if (event.what === 'rhythm' && set) it.machine.touchEvery(set, event.everyMs);
    else if (event.what === 'reclaim') await it.reclaim('/test', 2);
    else if (event.what === 'age')
      for (let time = 0; time < event.times; time++) {
        const listed = await it.machine.kernel.lruGen.readOne('/test');
        const maxSeq = listed?.nodes[0]?.generations.at(-1)?.seq ?? 0n;
        await it.machine.kernel.lruGen.age([{ id: listed?.id ?? '', path: '/test', node: 0, maxSeq }]);
        await it.clock.advance(100);
      }
    else if ('mib' in event) {
      const use = { mib: event.mib, ...(event.everyMs !== undefined && { touchedEveryMs: event.everyMs }) };
      if (event.what === 'anon') sets.push(it.machine.anon('/test', use));
      else sets.push(it.machine.file('/test', { ...use, access: event.what }));
    }
    await it.clock.advance(periodMs - (it.clock.nowMs() % periodMs));
    await check(it);
  }
}

void t.test(
  'whatever happens on a machine: totals are those of the kernel’s listing, ages are possible ones',
  async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyEvent, { maxLength: 25 }),
        fc.constantFrom('6.12.0', '7.2.0'),
        async (events, release) => {
          const looked: { cohorts: number; listed: number }[] = [];
          await live(events, { release, newCacheIsOld: true }, async (it) => {
            const observe = it.engine.tracker;
            await observe.observe(
              [{ memcg: it.at('/test'), listed: (await it.machine.kernel.lruGen.readOne('/test')) as LruGenMemcg }],
              it.clock.nowMs(),
              never(),
            );
            const cohorts = cohortsOf(it);
            looked.push({
              cohorts: pagesIn(cohorts, 'anon') * 1e7 + pagesIn(cohorts, 'file'),
              listed: (await listedPages(it, 'anonPages')) * 1e7 + (await listedPages(it, 'filePages')),
            });
            if (
              !cohorts.every((one) => one.pages > 0 && one.idleAtLeastMs >= 0 && one.idleAtMostMs >= one.idleAtLeastMs)
            )
              throw new Error('an impossible age');
          });
          return looked.every(({ cohorts, listed }) => cohorts === listed);
        },
      ),
      { numRuns: 60 },
    );
    t.pass();
  },
);

void t.test(
  'sets with rhythms of their own: nearly all is in the right column or next to it, up to the oldest border',
  async (t) => {
    const it = await world();
    const everyMs = [500, 2000, 9000, undefined, undefined, undefined];
    const sets: PageSet[] = [];
    for (const every of everyMs) {
      sets.push(it.machine.anon('/test', { mib: 32, ...(every !== undefined && { touchedEveryMs: every }) }));
      sets.push(
        it.machine.file('/test', { mib: 32, access: 'mapped', ...(every !== undefined && { touchedEveryMs: every }) }),
      );
      await it.periods(7);
    }
    let right = 0;
    let all = 0;
    for (let round = 0; round < 20; round++) {
      await it.periods(1);
      const seen = columns(cohortsOf(it));
      const truth: Record<string, number> = {};
      for (const set of sets) {
        const idleMs = it.clock.nowMs() - set.lastTouchMs(it.clock.nowMs());
        const bornMs = 7 * periodMs * Math.floor(sets.indexOf(set) / 2);
        const age = Math.floor(Math.min(idleMs, it.clock.nowMs() - bornMs) / periodMs);
        const column = columnOf(age, defaultBuckets);
        truth[column] = (truth[column] ?? 0) + set.residentPages;
      }
      all += sets.reduce((sum, set) => sum + set.residentPages, 0);
      // Pages that are in their column, or can be moved there from the next one.
      const left = { ...seen };
      for (const [column, count] of Object.entries(truth)) {
        let wanted = count;
        for (const near of [Number(column), Number(column) - 1, Number(column) + 1]) {
          const taken = Math.min(wanted, left[near] ?? 0);
          left[near] = (left[near] ?? 0) - taken;
          wanted -= taken;
          right += taken;
        }
      }
    }
    t.ok(right >= 0.95 * all, `${((100 * right) / all).toFixed(1)} %`);
  },
);

void t.test(
  'page cache in use through read(2) is as young as its witness has it; agings alone call it cold',
  async (t) => {
    for (const witnessed of [true, false]) {
      const it = await world();
      if (witnessed) await it.engine.start();
      it.machine.file('/test', { mib: 16, touchedEveryMs: 1000 });
      it.machine.file('/test', { mib: 16 });
      it.machine.anon('/test', { mib: 4 });
      await it.periods(12);
      const cohorts = it.engine.tracker.cohorts(it.at('/test'));
      const young = cohorts.filter(({ type, idleAtLeastMs }) => type === 'file' && idleAtLeastMs === 0);
      const total = pagesIn(cohorts, 'file');
      t.equal(total, pages(32), 'the total stays');
      t.equal(pagesIn(young, 'file'), witnessed ? pages(16) : 0);
      t.equal(it.engine.watching().readWitness, witnessed ? 'kpageflags' : undefined);
    }
  },
);

void t.test('does without its witness where the kernel has no page flags', async (t) => {
  const witness = {
    name: 'kpageflags',
    start: () => Promise.reject(new ColdpgsError('TRACKER_UNAVAILABLE', 'EOPNOTSUPP', 'No /proc/kpageflags.')),
  } as unknown as ReadWitness;
  const tracker = new MglruTracker(() => periodMs, witness);
  await tracker.start();
  t.equal(tracker.readWitness, undefined);
  await tracker.beforeAgings(0, never());
  await tracker.stop();
});
