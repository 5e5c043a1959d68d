import t from 'tap';
import { never, pages, periodMs, refused, type World, world, type WorldOptions } from './world.js';

/** Makes a memcg whose task uses a MiB of its memory all the time. */
function running(it: World, path: string, node = 0): void {
  it.machine.anon(path, { mib: 1, node, touchedEveryMs: 500 });
}

/** A world that keeps account of its agings: `path: seconds` of each, in order. */
async function watched(options?: WorldOptions): Promise<{ it: World; agings: string[] }> {
  const it = await world(options);
  const agings: string[] = [];
  it.machine.hooks.beforeAging = ({ path, node }) => {
    agings.push(`${path}${node > 0 ? ` on ${node}` : ''}: ${Math.round(it.clock.nowMs() / 1000)}`);
  };
  return { it, agings };
}

/** The agings of one memcg. */
function of(agings: readonly string[], path: string): string[] {
  return agings.filter((one) => one.startsWith(`${path}: `)).map((one) => one.slice(path.length + 2));
}

void t.test('every memcg is aged once a period, the root too', async (t) => {
  const { it, agings } = await watched();
  for (const path of ['/', '/pod', '/pod/app']) running(it, path);
  await it.periods(4);
  for (const path of ['/', '/pod', '/pod/app']) t.same(of(agings, path), ['10', '20', '30', '40'], path);
});

void t.test('a memcg is aged on each of its nodes', async (t) => {
  const { it, agings } = await watched({ nodes: 2 });
  for (const node of [0, 1]) running(it, '/test', node);
  await it.periods(1);
  t.same(
    agings.filter((one) => one.startsWith('/test')),
    ['/test: 10', '/test on 1: 10'],
  );
});

void t.test('a memcg that comes later has a rhythm of its own, and one that goes is aged no more', async (t) => {
  const { it, agings } = await watched();
  await it.clock.advance(6000);
  running(it, '/late');
  await it.periods(3);
  t.same(of(agings, '/late'), ['16', '26', '36']);
  it.machine.rmdir('/late');
  await it.periods(2);
  t.equal(of(agings, '/late').length, 3);
});

void t.test('a coldness above 2 makes the interval half of it, for that memcg alone', async (t) => {
  const { it, agings } = await watched();
  running(it, '/deep');
  running(it, '/other');
  it.engine.noteColdness(it.at('/deep'), { lastAgePeriods: 6 });
  await it.periods(9);
  t.same(of(agings, '/deep'), ['30', '60', '90']);
  t.equal(of(agings, '/other').length, 9);
});

void t.test(
  'the coldness in the flags comes before the last threshold; the global threshold is for the rest',
  async (t) => {
    const { it, agings } = await watched();
    for (const path of ['/flags', '/threshold', '/rest']) running(it, path);
    it.engine.noteGlobalColdness(4);
    it.engine.noteColdness(it.at('/flags'), { flags: 0x1_0000_0006n, lastAgePeriods: 2 });
    it.engine.noteColdness(it.at('/threshold'), { flags: 0x1_0000_0000n, lastAgePeriods: 8 });
    await it.periods(8);
    t.same(of(agings, '/flags'), ['30', '60']);
    t.same(of(agings, '/threshold'), ['40', '80']);
    t.same(of(agings, '/rest'), ['20', '40', '60', '80']);
  },
);

void t.test('a threshold that needs agings sooner is looked at at once, not after the present nap', async (t) => {
  const { it, agings } = await watched();
  running(it, '/test');
  it.engine.noteGlobalColdness(20);
  await it.clock.advance(80_000);
  t.same(agings, []);
  it.engine.noteColdness(it.at('/test'), { lastAgePeriods: 1 });
  await it.clock.advance(0);
  t.same(agings, ['/test: 80']);
});

void t.test(
  'an aging of the kernel’s own counts: the next one comes with the look nearest to a period after it',
  async (t) => {
    const { it, agings } = await watched();
    running(it, '/');
    running(it, '/test');
    await it.clock.advance(4000);
    const listed = await it.machine.kernel.lruGen.readOne('/test');
    await it.machine.kernel.lruGen.age([{ id: listed?.id ?? '', path: '/test', node: 0, maxSeq: 3n }]);
    await it.periods(2);
    t.same(of(agings, '/test'), ['4', '14', '20']);
    t.equal(of(agings, '/')[0], '10');
  },
);

void t.test('a memcg that is being reclaimed is not aged until the run is over, and soon then', async (t) => {
  const { it, agings } = await watched({ evictionMsPerMib: 100 });
  it.machine.file('/test', { mib: 256 });
  for (const path of ['/', '/test']) running(it, path);
  it.engine.global.mode = 1;
  await it.letAge('/test', 1);
  const before = it.clock.nowMs();
  agings.length = 0;
  const run = it.engine.reclaimMemcg(it.at('/test'), 1, Infinity, never());
  await it.clock.advance(20_000);
  t.same(of(agings, '/test'), []);
  t.ok(of(agings, '/').length >= 2, 'the others go on');
  await it.clock.finish(run);
  const endMs = it.clock.nowMs();
  t.ok(endMs - before > 25_600, 'the run took more than two periods');
  await it.clock.advance(1000);
  t.equal(of(agings, '/test').length, 1);
});

void t.test('a memcg whose aging is refused is tried again, and the others are aged as ever', async (t) => {
  const { it, agings } = await watched();
  for (const path of ['/', '/test']) running(it, path);
  it.machine.failNext('age', refused('EINVAL', 'no such memcg'));
  await it.periods(3);
  const newest = async (path: string) =>
    (await it.machine.kernel.lruGen.readOne(path))?.nodes[0]?.generations.at(-1)?.seq;
  t.equal(await newest('/'), 3n + 2n, 'one refused');
  t.equal(await newest('/test'), 3n + 3n);
  t.ok(of(agings, '/').length >= 3);
});

void t.test('a listing that fails ends one round, not the aging clock', async (t) => {
  const { it, agings } = await watched();
  running(it, '/');
  it.machine.failNext('readGenerations', new Error('EIO'));
  await it.periods(3);
  t.ok(of(agings, '/').length >= 2);
});

void t.test('with the scan period at 0 nothing is ever aged', async (t) => {
  const { it, agings } = await watched({ settings: { scanPeriodMs: 0 } });
  await it.clock.advance(100 * periodMs);
  t.same(agings, []);
});

void t.test('offline memcgs cannot be addressed, and are not', async (t) => {
  const { it, agings } = await watched({ release: '6.12.0' });
  running(it, '/');
  it.machine.file('/test', { mib: 4 });
  it.machine.rmdir('/test');
  await it.periods(2);
  t.same(of(agings, '/test'), []);
  t.equal(of(agings, '/').length, 2);
});

void t.test('what memcgs that are gone had noted is forgotten with them', async (t) => {
  const { it } = await watched();
  it.machine.memcg('/test');
  it.engine.noteColdness(it.at('/test'), { flags: 8n });
  it.engine.ledger.add(it.at('/test'), { 'pagecache dropped': 4096 });
  it.machine.rmdir('/test');
  await it.periods(2);
  t.same(it.engine.controls.entries(), []);
  t.same(it.engine.ledger.accounts(), []);
});

void t.test('a memcg without a page is not aged', async (t) => {
  const { it, agings } = await watched();
  it.machine.memcg('/empty');
  await it.periods(5);
  t.same(of(agings, '/empty'), []);
});

void t.test(
  'a memcg of which nothing runs is aged until all of it is where eviction begins, and then left alone',
  async (t) => {
    const { it, agings } = await watched();
    it.machine.anon('/test', { mib: 8 });
    await it.periods(40);
    t.same(
      of(agings, '/test'),
      ['10', '20', '30', '40'],
      'three times, and once more to be sure that nothing ran meanwhile',
    );
    it.engine.global.mode = 2;
    await it.reclaim('/test', 2);
    t.equal(it.ledger('/test')['anon swap out'], pages(8), 'its borders get older all the same');
  },
);

void t.test('any threshold comes true for a memcg that rests', async (t) => {
  for (const agePeriods of [1, 2, 7, 255]) {
    const { it } = await watched();
    it.machine.anon('/test', { mib: 8 });
    it.engine.noteColdness(it.at('/test'), { lastAgePeriods: agePeriods });
    it.engine.global.mode = 2;
    await it.periods(3 * Math.max(2, agePeriods));
    await it.reclaim('/test', agePeriods);
    t.equal(it.ledger('/test')['anon swap out'], pages(8), `${agePeriods} periods`);
  }
});

void t.test('but what was used a moment ago by a task that woke up is not taken for resting', async (t) => {
  const { it, agings } = await watched();
  it.machine.anon('/test', { mib: 8 });
  const woken = it.machine.anon('/test', { mib: 4 });
  await it.periods(20);
  agings.length = 0;
  it.machine.touch(woken);
  await it.periods(2);
  t.ok(of(agings, '/test').length >= 1, 'it is aged again');
  it.engine.global.mode = 2;
  await it.reclaim('/test', 3);
  t.equal(it.machine.where(woken).memory, pages(4));
});

void t.test('a memcg that runs without using its own pages is aged as ever', async (t) => {
  const { it, agings } = await watched();
  it.machine.file('/test', { mib: 8, touchedEveryMs: 1000 });
  await it.periods(10);
  t.equal(of(agings, '/test').length, 10);
});

void t.test('where the kernel does not say who ran (cgroup v1) nothing is taken for resting', async (t) => {
  const { it, agings } = await watched({ cgroupVersion: 1 });
  it.machine.anon('/test', { mib: 8 });
  await it.periods(10);
  t.equal(of(agings, '/test').length, 10);
});

void t.test('many memcgs that appear together are aged apart: no second does all the work', async (t) => {
  const { it, agings } = await watched();
  for (let index = 0; index < 400; index++) running(it, `/${index}`);
  // In small steps: a look at so many lets other work have its turn, and this clock does not wait for that.
  for (let step = 0; step < 160; step++) await it.clock.advance(250);
  const bySecond = new Map<string, number>();
  const late = agings.map((one) => one.split(': ')[1] ?? '').filter((second) => Number(second) >= 20);
  for (const second of late) bySecond.set(second, (bySecond.get(second) ?? 0) + 1);
  t.ok(Math.max(...bySecond.values()) <= 100, `at most ${Math.max(...bySecond.values())} in one second`);
  t.ok(bySecond.size >= 10, `in ${bySecond.size} of 20 seconds`);
  for (const path of ['/0', '/200', '/399']) {
    const times = of(agings, path).map(Number);
    t.ok(times.length >= 3, `${path} is aged at ${times.join(', ')}`);
    const [, ...gaps] = times.map((time, index) => time - (times[index - 1] ?? 0));
    t.ok(
      gaps.every((gap) => gap >= 9 && gap <= 11.5),
      `${path}: then once a period`,
    );
  }
});

void t.test('between two looks nobody lists the memcgs, however many agings there are', async (t) => {
  const { it, agings } = await watched();
  let listings = 0;
  const { lruGen } = it.machine.kernel;
  const read = lruGen.read.bind(lruGen);
  lruGen.read = async () => {
    listings++;
    return read();
  };
  for (let index = 0; index < 20; index++) {
    await it.clock.advance(500);
    running(it, `/${index}`);
  }
  await it.periods(6);
  t.ok(agings.length >= 80);
  t.ok(listings <= 8, `${listings} listings`);
});

void t.test('a period that gets shorter or longer counts from when it was written', async (t) => {
  const { it, agings } = await watched();
  running(it, '/test');
  await it.clock.advance(35_000);
  agings.length = 0;
  it.engine.setScanPeriod(2);
  await it.clock.advance(6500);
  t.same(of(agings, '/test'), ['35', '37', '39', '41']);
  it.engine.setScanPeriod(20);
  agings.length = 0;
  await it.clock.advance(45_000);
  t.same(of(agings, '/test'), ['61', '81']);
});

void t.test('a memcg that is removed while it is being aged does not hold up the others', async (t) => {
  const { it, agings } = await watched();
  for (const path of ['/a', '/b', '/c']) running(it, path);
  it.machine.hooks.beforeAging = ({ path }) => {
    if (path === '/a' && it.engine.memcgAt('/b')) it.machine.rmdir('/b');
    agings.push(`${path}: ${Math.round(it.clock.nowMs() / 1000)}`);
  };
  await it.periods(3);
  t.same(of(agings, '/c'), ['10', '20', '30']);
  t.same(of(agings, '/a'), ['10', '20', '30']);
});
