import t from 'tap';
import { ColdpgsError } from '../../../src/errors.js';
import { mib } from '../../../src/kernel/simulated/bytes.js';
import type { PageSet } from '../../../src/kernel/simulated/page-set.js';
import { never, pages, refused, type World, world, type WorldOptions } from './world.js';

const swapMax = (path: string): string => `/sys/fs/cgroup${path}/memory.swap.max`;
const memoryMax = (path: string): string => `/sys/fs/cgroup${path}/memory.max`;

/** A world where each of these memcgs has so many MiB swapped out. */
async function swapped(mibByPath: Record<string, number>, options: WorldOptions = {}) {
  const it = await world(options);
  it.engine.global.mode = 2;
  const sets = new Map<string, PageSet>();
  for (const [path, mib] of Object.entries(mibByPath)) {
    sets.set(path, it.machine.anon(path, { mib, generationsDown: 3 }));
    await evictAll(it, path);
  }
  return { it, sets, at: (path: string) => it.machine.where(setOf(sets, path)) };
}

function setOf(sets: ReadonlyMap<string, PageSet>, path: string): PageSet {
  const set = sets.get(path);
  if (!set) throw new Error(`no memory in ${path}`);
  return set;
}

/** Swaps out what is in the oldest generation of a memcg. */
async function evictAll(it: World, path: string): Promise<void> {
  const listed = await it.machine.kernel.lruGen.readOne(path);
  const minSeq = listed?.nodes[0]?.generations[0]?.seq ?? 0n;
  await it.machine.kernel.lruGen.evict({ id: listed?.id ?? '', path, node: 0, minSeq, swappiness: 'anon', pages: 1e6 });
}

void t.test('everything swapped out of a memcg and its descendants is back, and no slot is left', async (t) => {
  const { it, at } = await swapped({ '/pod': 8, '/pod/app': 40, '/pod/app/log': 3, '/other': 8 });
  await it.swapIn('/pod');
  t.same(at('/pod').memory, pages(8));
  t.same(at('/pod/app').memory, pages(40));
  t.same(at('/pod/app/log').memory, pages(3));
  t.equal(at('/other').swap, pages(8), 'a memcg beside it is left alone');
  t.equal(await it.machine.kernel.memory.swapUsed('/pod'), 0, 'the slots are free');
  t.same(it.ledger('/pod/app'), { 'anon swap in': pages(40) }, 'each memcg has its own in its ledger');
  t.same(it.ledger('/pod'), { 'anon swap in': pages(8) });
  t.same(it.machine.oomKills, []);
});

void t.test('the root stands for every memcg', async (t) => {
  const { it, at } = await swapped({ '/a': 8, '/b/c': 8 });
  await it.swapIn('/');
  t.same([at('/a').memory, at('/b/c').memory], [pages(8), pages(8)]);
});

void t.test('what comes out of zswap is told apart', async (t) => {
  const { it } = await swapped({ '/test': 16 }, { zswap: true });
  await it.swapIn('/test');
  t.same(it.ledger('/test'), { 'anon zswap in': pages(16) });
});

void t.test('memory.swap.max is 0 meanwhile and what it was afterwards; the journal knows', async (t) => {
  const { it } = await swapped({ '/test': 16 }, { populateMsPerMib: 10 });
  it.machine.kernel.settings.write(swapMax('/test'), String(mib(512)));
  const done = it.engine.swapIn(it.at('/test'), never());
  await it.clock.advance(20);
  t.equal(it.setting(swapMax('/test')), '0');
  t.same(it.loans.at(-1), [{ file: swapMax('/test'), value: String(mib(512)) }]);
  await it.clock.finish(done);
  t.equal(it.setting(swapMax('/test')), String(mib(512)));
  t.same(it.loans.at(-1), []);
});

void t.test('however it ends, memory.swap.max is what it was', async (t) => {
  const failures: Record<string, (it: World) => void> = {
    'memory of a process cannot be read': ({ machine }) => machine.failNext('populate', new Error('EIO'), 4),
    'pagemap cannot be read': ({ machine }) => machine.failNext('swappedRanges', new Error('EIO')),
    'the counters cannot be read at the start': ({ machine }) => machine.failNext('stat', new Error('EIO')),
  };
  for (const [name, fail] of Object.entries(failures))
    await t.test(name, async (t) => {
      const { it } = await swapped({ '/test': 16 });
      fail(it);
      await t.rejects(it.swapIn('/test'));
      t.equal(it.setting(swapMax('/test')), 'max');
      t.same(it.loans.at(-1) ?? [], []);
    });
});

void t.test(
  'memory that cannot be read is SWAPIN_FAILED with the cause; what is in stays in, and a second try goes on',
  async (t) => {
    const { it, at } = await swapped({ '/test': 16 });
    it.machine.failNext('populate', new Error('the page is poisoned'));
    await t.rejects(it.swapIn('/test'), { code: 'SWAPIN_FAILED', errno: 'EIO', message: /\/test.*poisoned/ });
    t.equal(it.ledger('/test')['anon swap in'], at('/test').memory);
    await it.swapIn('/test');
    t.equal(at('/test').memory, pages(16));
  },
);

void t.test('a limit that cannot be set fails the swap-in like everything else: EIO', async (t) => {
  const { it } = await swapped({ '/test': 16 });
  it.machine.failNext('writeSetting', refused('EACCES', 'read-only cgroupfs'));
  const failure = await it.swapIn('/test').catch((error: unknown) => error);
  t.ok(failure instanceof ColdpgsError);
  t.match(failure, { errno: 'EIO' });
});

void t.test(
  'memory.max is never passed, the memcg’s or an ancestor’s: nobody is killed, and the reason is told',
  async (t) => {
    for (const [limited, path] of [
      ['/pod/app', '/pod/app'],
      ['/pod', '/pod/app'],
      ['/pod', '/pod'],
    ] as const)
      await t.test(`${limited} limited, ${path} swapped in`, async (t) => {
        const { it, at } = await swapped({ '/pod/app': 64 });
        it.machine.kernel.settings.write(memoryMax(limited), String(mib(32)));
        await t.rejects(it.swapIn(path), { code: 'MEMORY_LIMIT', errno: 'EIO', message: /memory\.max/ });
        t.same(it.machine.oomKills, []);
        t.ok(at('/pod/app').memory >= pages(20), 'most of the room is used');
        t.ok(at('/pod/app').memory <= pages(32));
        t.equal(it.ledger('/pod/app')['anon swap in'], at('/pod/app').memory, 'what is in is in the ledger');
        t.equal(it.setting(swapMax('/pod/app')), 'max');
      });
  },
);

void t.test('cancelled: it stops within a few pieces, and what is in stays in', async (t) => {
  const { it, at } = await swapped({ '/test': 256 }, { populateMsPerMib: 10 });
  const control = new AbortController();
  const done = it.engine.swapIn(it.at('/test'), control.signal);
  await it.clock.advance(200);
  control.abort();
  await t.rejects(it.clock.finish(done), { code: 'CANCELLED', errno: 'EINTR', message: '/test' });
  t.ok(at('/test').memory > 0 && at('/test').memory < pages(200));
  t.equal(it.setting(swapMax('/test')), 'max');
});

void t.test('a process that ends meanwhile is no failure', async (t) => {
  const { it } = await swapped({ '/test': 64 }, { populateMsPerMib: 10 });
  const [pid = 0] = await it.machine.kernel.memcgs.tasks('/test');
  const done = it.engine.swapIn(it.at('/test'), never());
  await it.clock.advance(50);
  it.machine.exit(pid);
  await t.resolves(it.clock.finish(done));
});

void t.test('a memcg without processes, or without swapped memory, has nothing to bring back', async (t) => {
  const { it } = await swapped({});
  it.machine.memcg('/empty');
  it.machine.anon('/resident', { mib: 8 });
  await it.swapIn('/empty');
  await it.swapIn('/resident');
  t.same([it.ledger('/empty'), it.ledger('/resident')], [{}, {}]);
});

void t.test('a descendant that is removed meanwhile does not keep the others from coming back', async (t) => {
  const { it, at } = await swapped({ '/pod': 64, '/pod/gone': 8, '/pod/stays': 8 }, { populateMsPerMib: 10 });
  const done = it.engine.swapIn(it.at('/pod'), never());
  await it.clock.advance(50);
  it.machine.rmdir('/pod/gone');
  await it.clock.finish(done);
  t.equal(at('/pod/stays').memory, pages(8));
});

void t.test('cgroup v1 has no memory.swap.max: it goes without', async (t) => {
  const { it, at } = await swapped({ '/test': 16 }, { cgroupVersion: 1 });
  await it.swapIn('/test');
  t.equal(at('/test').memory, pages(16));
  t.same(it.loans, []);
});
