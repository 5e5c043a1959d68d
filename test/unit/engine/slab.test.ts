import t from 'tap';
import { mib } from '../../../src/kernel/simulated/bytes.js';
import { refused, type World, world, type WorldOptions } from './world.js';

const own = '/system.slice/coldpgs.service';

/** A world where each memcg has so many MiB of slab, and mode asks for slab alone. */
async function withSlab(slab: Readonly<Record<string, number>>, options: WorldOptions = {}): Promise<World> {
  const it = await world(options);
  it.engine.global.mode = 4;
  for (const [path, size] of Object.entries(slab)) it.machine.slab(path, { mib: size });
  await it.periods(1);
  return it;
}

function droppedMib(it: World, path: string): number {
  return (it.engine.ownStats(it.at(path))['slab drop'] ?? 0) / mib(1);
}

void t.test('the slab of one memcg, and only of that one', async (t) => {
  const it = await withSlab({ '/pod': 4, '/pod/app': 8, '/other': 2 }, { shrinkerDebug: true });
  await it.reclaim('/pod', 2);
  t.same(
    ['/pod', '/pod/app', '/other'].map((path) => droppedMib(it, path)),
    [4, 0, 0],
  );
  t.equal((await it.machine.kernel.memory.stat('/pod')).slabReclaimableBytes, mib(8));
  t.same(it.problems(), []);
});

void t.test('no more than the size, by what an object takes on average', async (t) => {
  const it = await withSlab({ '/test': 8 }, { shrinkerDebug: true });
  await it.reclaim('/test', 2, mib(3));
  t.equal(droppedMib(it, '/test'), 3);
});

void t.test('with the option those below as well, and with the strict gate only where bit 34 is set', async (t) => {
  const it = await withSlab(
    { '/pod': 4, '/pod/app': 8, '/pod/off': 2 },
    { shrinkerDebug: true, settings: { children: 'include', flagsGate: 'strict' } },
  );
  for (const path of ['/pod', '/pod/app']) it.engine.noteColdness(it.at(path), { flags: 0x4_0000_0000n });
  await it.reclaim('/pod', 2);
  t.same(
    ['/pod', '/pod/app', '/pod/off'].map((path) => droppedMib(it, path)),
    [4, 8, 0],
  );
});

void t.test('the global threshold: of all memcgs but the daemon’s, each by its own', async (t) => {
  const it = await withSlab({ '/pod': 4, '/pod/app': 8, [own]: 2 }, { shrinkerDebug: true });
  await it.reclaimAll(2);
  t.same(
    ['/pod', '/pod/app', own].map((path) => droppedMib(it, path)),
    [4, 8, 0],
  );
});

void t.test('without shrinker debugging a memcg’s slab is left alone, and that is told', async (t) => {
  const it = await withSlab({ '/test': 4 }, { settings: { children: 'include' } });
  it.machine.slab('/test/below', { mib: 1 });
  await it.reclaim('/test', 2);
  t.equal(droppedMib(it, '/test'), 0);
  t.match(it.problems(), [/^\/test: slab was left alone \(EOPNOTSUPP\): .*; the global threshold drops/]);
  t.equal(it.problems().length, 1);
});

void t.test('without it the global threshold drops all there is, and books what fell to each', async (t) => {
  const it = await withSlab({ '/': 1, '/pod': 4, '/pod/app': 8 });
  await it.reclaimAll(2);
  t.same(
    ['/', '/pod', '/pod/app'].map((path) => droppedMib(it, path)),
    [1, 4, 8],
  );
  t.same(it.problems(), []);
});

void t.test('but not where the strict gate forbids it for some', async (t) => {
  const it = await withSlab({ '/pod': 4 }, { settings: { flagsGate: 'strict' } });
  it.engine.noteColdness(it.at('/pod'), { flags: 0x4_0000_0000n });
  await it.reclaimAll(2);
  t.equal(droppedMib(it, '/pod'), 0);
  t.match(it.problems(), [/^global threshold: slab was left alone: the flags gate is strict/]);
});

void t.test('without bit 2 of mode, or with the scan period at 0, no slab goes', async (t) => {
  for (const [mode, scanPeriodMs] of [
    [3, 10_000],
    [4, 0],
  ] as const) {
    const it = await withSlab({ '/test': 4 }, { shrinkerDebug: true, settings: { scanPeriodMs } });
    it.engine.global.mode = mode;
    await it.reclaim('/test', 2);
    await it.reclaimAll(2);
    t.equal(droppedMib(it, '/test'), 0);
  }
});

void t.test('a refusal is the writer’s; what went before it is counted', async (t) => {
  const it = await withSlab({ '/test': 4 }, { shrinkerDebug: true });
  const { slab } = it.machine.kernel;
  const shrink = slab.shrink.bind(slab);
  slab.shrink = async (...args) => {
    await shrink(...args);
    it.machine.failNext('slab', refused('EPERM', 'lockdown'));
  };
  await t.rejects(it.reclaim('/test', 2), { code: 'KERNEL_REFUSED' });
  t.equal(droppedMib(it, '/test'), 1);
});
