import t from 'tap';
import type { PageSet } from '../../../src/kernel/simulated/page-set.js';
import { pages, type World, world, type WorldOptions } from './world.js';

const limit = '/sys/fs/cgroup/test/memory.zswap.max';

/** 16 MiB of anon that is idle for a long time, and 8 MiB that is idle for one period and not for two. */
async function olderAndYounger({ nonrot = 1, ...options }: WorldOptions & { readonly nonrot?: number } = {}) {
  const it = await world({ zswap: true, ...options });
  it.engine.global.mode = 2;
  it.engine.noteNonrot(nonrot);
  const older = it.machine.anon('/test', { mib: 16 });
  const younger = it.machine.anon('/test', { mib: 8, touchedEveryMs: 400 });
  await it.letAge('/test', 1);
  await it.periods(0.3);
  it.machine.touchEvery(younger, undefined);
  await it.periods(2);
  return { it, older, younger };
}

function gone(it: World, set: PageSet): number {
  return it.machine.where(set).swap;
}

for (const release of ['6.12.0', '7.2.0'])
  void t.test(`${release}: up to threshold_nonrot to zswap, what is older to the device, first`, async (t) => {
    const { it, older, younger } = await olderAndYounger({ release });
    const limits: (string | undefined)[] = [];
    it.machine.hooks.beforeEviction = () => void limits.push(it.setting(limit));
    await it.reclaim('/test', 1);
    t.same([gone(it, older), gone(it, younger)], [pages(16), pages(8)]);
    t.same(it.ledger('/test'), { 'anon swap out': pages(16), 'anon zswap out': pages(8) });
    t.same([...new Set(limits)], ['0', 'max']);
    t.same([...limits].sort(), limits, 'the device first');
    t.equal(it.setting(limit), 'max');
    t.same(it.problems(), []);
  });

void t.test('memory.zswap.max is in the journal while it is borrowed, and back when a command fails', async (t) => {
  const { it } = await olderAndYounger();
  it.machine.kernel.settings.write(limit, '1048576');
  it.machine.hooks.afterEviction = () => {
    throw new Error('debugfs is gone');
  };
  await t.rejects(it.reclaim('/test', 1), /debugfs is gone/);
  t.same(it.loans, [[{ file: limit, value: '1048576' }], []]);
  t.equal(it.setting(limit), '1048576');
});

void t.test(
  'what zswap writes back to make room counts as gone to the device: zswap has no more than before',
  async (t) => {
    const { it, older } = await olderAndYounger({ nonrot: 255 });
    await it.reclaim('/test', 1);
    t.same(it.ledger('/test'), { 'anon zswap out': pages(24) });
    it.engine.noteNonrot(0);
    it.machine.anon('/test', { mib: 4 });
    await it.periods(4);
    await it.reclaim('/test', 1);
    t.equal(it.machine.where(older).swap, pages(16));
    t.same(it.ledger('/test'), { 'anon zswap out': pages(24), 'anon swap out': pages(4) });
  },
);

void t.test('with threshold_nonrot at 0, or no greater than the threshold, all of it goes to the device', async (t) => {
  for (const [nonrot, threshold] of [
    [0, 1],
    [1, 2],
  ] as const) {
    const { it, older } = await olderAndYounger({ nonrot });
    await it.periods(2);
    await it.reclaim('/test', threshold);
    t.equal(gone(it, older), pages(16));
    t.same(it.ledger('/test'), { 'anon swap out': pages(24) });
  }
});

void t.test('where no border proves so much yet, all goes to zswap, is told, and the next time it does', async (t) => {
  const it = await world({ zswap: true });
  it.engine.global.mode = 2;
  it.machine.anon('/test', { mib: 4, touchedEveryMs: 400 });
  it.machine.anon('/test', { mib: 16 });
  await it.letAge('/test', 2);
  it.engine.noteNonrot(3);
  await it.reclaim('/test', 2);
  t.same(it.ledger('/test'), { 'anon zswap out': pages(16) });
  t.match(it.problems(), [/^\/test: no border between generations is 40 s old yet/]);
  it.machine.anon('/test', { mib: 8 });
  await it.periods(10);
  await it.reclaim('/test', 2);
  t.same(it.ledger('/test'), { 'anon zswap out': pages(16), 'anon swap out': pages(8) });
  t.equal(it.problems().length, 1);
});

void t.test(
  'threshold_nonrot at 255 means all of it to zswap, and ages the memcg as its threshold alone does',
  async (t) => {
    const { it } = await olderAndYounger({ nonrot: 255 });
    await it.reclaim('/test', 1);
    t.same(it.ledger('/test'), { 'anon zswap out': pages(24) });
    t.same(it.problems(), []);
  },
);

void t.test('zswap that is switched off takes nothing, and that is told once a write', async (t) => {
  const { it } = await olderAndYounger({ zswap: false });
  await it.reclaim('/test', 1);
  t.same(it.ledger('/test'), { 'anon swap out': pages(24) });
  t.match(it.problems(), [/^\/test: threshold_nonrot is set, but zswap is off \(echo Y > /]);
});

void t.test('what cannot be kept from zswap goes where the kernel puts it', async (t) => {
  await t.test('the root memcg has no memory.zswap.max', async (t) => {
    const it = await world({ zswap: true });
    it.engine.global.mode = 2;
    it.engine.noteNonrot(1);
    it.machine.anon('/', { mib: 16 });
    await it.periods(6);
    await it.reclaim('/', 2);
    t.same(it.ledger('/'), { 'anon zswap out': pages(16) });
    t.match(it.problems(), [/^\/: anonymous memory of it is not split .* has no memory.zswap.max/]);
  });
  await t.test('memory.zswap.writeback of an ancestor forbids the device', async (t) => {
    const { it } = await olderAndYounger();
    it.machine.settings.define('/sys/fs/cgroup/test/memory.zswap.writeback', '0');
    await it.reclaim('/test', 1);
    t.same(it.ledger('/test'), { 'anon zswap out': pages(24) });
    t.match(it.problems(), [/memory.zswap.writeback of it or an ancestor is 0/]);
  });
});

void t.test('a run of a parent at the same time does not keep a child’s pages from zswap', async (t) => {
  const it = await world({ zswap: true, evictionMsPerMib: 100 });
  it.engine.global.mode = 2;
  it.engine.noteNonrot(1);
  it.machine.anon('/pod', { mib: 16 });
  const younger = it.machine.anon('/pod/app', { mib: 8, touchedEveryMs: 400 });
  await it.letAge('/pod', 1);
  await it.letAge('/pod/app', 1);
  await it.periods(0.3);
  it.machine.touchEvery(younger, undefined);
  await it.periods(2);
  await it.reclaimAll(1);
  t.same(it.ledger('/pod'), { 'anon swap out': pages(16) });
  t.same(it.ledger('/pod/app'), { 'anon zswap out': pages(8) });
});
