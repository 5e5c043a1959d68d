import t from 'tap';
import { never, periodMs, refused, type World, world, type WorldOptions } from './world.js';

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

void t.test('an aging of the kernel’s own counts: the next one is due a period after it', async (t) => {
  const { it, agings } = await watched();
  running(it, '/');
  running(it, '/test');
  await it.clock.advance(4000);
  const listed = await it.machine.kernel.lruGen.readOne('/test');
  await it.machine.kernel.lruGen.age([{ id: listed?.id ?? '', path: '/test', node: 0, maxSeq: 3n }]);
  await it.periods(2);
  t.same(of(agings, '/test'), ['4', '14', '24']);
  t.equal(of(agings, '/')[0], '10');
});

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
  it.machine.failNext('readGenerations', new Error('EIO'), 3);
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
