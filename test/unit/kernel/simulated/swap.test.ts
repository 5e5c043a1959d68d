import t from 'tap';
import type { AddressRange } from '../../../../src/kernel/pagemap.js';
import { gib, mib } from '../../../../src/kernel/simulated/bytes.js';
import { SimulatedClock } from '../../../../src/kernel/simulated/clock.js';
import { simulatedMachine, type SimulatedMachine } from '../../../../src/kernel/simulated/machine.js';
import { evictOldest, generationsOf, pages } from './driving.js';

async function rangesOf(machine: SimulatedMachine, pid: number): Promise<AddressRange[]> {
  const ranges: AddressRange[] = [];
  for await (const range of machine.kernel.processes.swappedRanges(pid)) ranges.push(range);
  return ranges;
}

async function populateAll(machine: SimulatedMachine, pid: number): Promise<number> {
  let bytes = 0;
  for (const range of await rangesOf(machine, pid)) bytes += await machine.kernel.processes.populate(pid, range);
  return bytes;
}

function machineWith({ swapBytes = gib(1), zswap = false } = {}): SimulatedMachine {
  return simulatedMachine({ clock: new SimulatedClock(), release: '7.2.0', swapBytes, zswap });
}

void t.test('swapped-out memory is charged to the memcg, its ancestors and the device', async (t) => {
  const machine = machineWith();
  machine.anon('/pod/test', { mib: 64, generationsDown: 3 });
  await evictOldest(machine, '/pod/test', 'anon', pages(64));
  const { memory, swap } = machine.kernel;
  for (const path of ['/pod/test', '/pod', '/']) t.equal(await memory.swapUsed(path), mib(64), path);
  t.match(await swap.devices(), [{ name: '/dev/vdb', sizeBytes: gib(1), usedBytes: mib(64) }]);
  t.equal(await memory.swapRoom('/pod/test'), gib(1) - mib(64));
});

void t.test('swap-in keeps the slots: the pages are in memory and in the swap cache', async (t) => {
  const machine = machineWith();
  const pid = machine.task('/test');
  const set = machine.anon('/test', { mib: 64, generationsDown: 3 });
  await evictOldest(machine, '/test', 'anon', pages(64));
  t.equal(await populateAll(machine, pid), mib(64));
  t.same(machine.where(set), { memory: pages(64), swap: 0, storage: 0 });
  t.same(await rangesOf(machine, pid), []);
  t.equal(await machine.kernel.memory.swapUsed('/test'), mib(64));
  t.equal((await generationsOf(machine, '/test')).at(-1)?.anonPages, pages(64), 'and young');
});

void t.test('swap-in frees the slots with memory.swap.max at 0', async (t) => {
  const machine = machineWith();
  const pid = machine.task('/test');
  machine.anon('/test', { mib: 64, generationsDown: 3 });
  await evictOldest(machine, '/test', 'anon', pages(64));
  machine.kernel.settings.write('/sys/fs/cgroup/test/memory.swap.max', '0');
  await populateAll(machine, pid);
  t.equal(await machine.kernel.memory.swapUsed('/test'), 0);
});

void t.test('swap-in frees the slots once the memcg has used half of its memory.swap.max', async (t) => {
  for (const { max, kept } of [
    { max: mib(128), kept: 0 },
    { max: mib(129), kept: mib(64) },
  ])
    await t.test(`64 MiB in use of ${max / mib(1)}`, async (t) => {
      const machine = machineWith();
      const pid = machine.task('/test');
      machine.anon('/test', { mib: 64, generationsDown: 3 });
      await evictOldest(machine, '/test', 'anon', pages(64));
      machine.kernel.settings.write('/sys/fs/cgroup/test/memory.swap.max', String(max));
      await populateAll(machine, pid);
      t.equal(await machine.kernel.memory.swapUsed('/test'), kept);
    });
});

void t.test('swap-in frees the slots while the devices are more than half full', async (t) => {
  const machine = machineWith({ swapBytes: mib(64) });
  const pid = machine.task('/test');
  machine.anon('/test', { mib: 64, generationsDown: 3 });
  await evictOldest(machine, '/test', 'anon', pages(64));
  const [all] = await rangesOf(machine, pid);
  if (!all) throw new Error('nothing was swapped out');
  for (let start = all.start; start < all.end; start += mib(1))
    await machine.kernel.processes.populate(pid, { start, end: start + mib(1) });
  t.equal(await machine.kernel.memory.swapUsed('/test'), mib(32));
});

void t.test('memory that kept its slot is swapped out again without another', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock, release: '7.2.0', swapBytes: mib(256) });
  const pid = machine.task('/test');
  const set = machine.anon('/test', { mib: 64, generationsDown: 3 });
  await evictOldest(machine, '/test', 'anon', pages(64));
  await populateAll(machine, pid);
  const id = (await machine.kernel.lruGen.readOne('/test'))?.id ?? '';
  for (let maxSeq = 3n; maxSeq < 6n; maxSeq++)
    await machine.kernel.lruGen.age([{ id, path: '/test', node: 0, maxSeq }]);
  await evictOldest(machine, '/test', 'anon', pages(64));
  t.equal(machine.where(set).swap, pages(64));
  t.equal(await machine.kernel.memory.swapUsed('/test'), mib(64));
});

void t.test('swapped memory that its process uses comes back by itself, and counts as a refault', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock, swapBytes: gib(1) });
  const set = machine.anon('/test', { mib: 16, generationsDown: 3 });
  await evictOldest(machine, '/test', 'anon', pages(16));
  machine.touchEvery(set, 1000);
  await clock.advance(999);
  t.equal(machine.where(set).swap, pages(16));
  await clock.advance(1);
  t.equal(machine.where(set).memory, pages(16));
  t.equal((await machine.kernel.memory.stat('/test')).refaultAnonPages, pages(16));
});

void t.test('without room in swap nothing is freed, and what was refused is young again', async (t) => {
  const limits: [string, (machine: SimulatedMachine) => void][] = [
    ['memory.swap.max of the memcg', (m) => m.kernel.settings.write('/sys/fs/cgroup/pod/test/memory.swap.max', '0')],
    ['memory.swap.max of its parent', (m) => m.kernel.settings.write('/sys/fs/cgroup/pod/memory.swap.max', '0')],
  ];
  for (const [name, forbid] of limits)
    await t.test(name, async (t) => {
      const machine = machineWith();
      const set = machine.anon('/pod/test', { mib: 16, generationsDown: 3 });
      forbid(machine);
      t.equal(await machine.kernel.memory.swapRoom('/pod/test'), 0);
      await evictOldest(machine, '/pod/test', 'anon', pages(16));
      t.equal(machine.where(set).memory, pages(16));
      t.equal((await generationsOf(machine, '/pod/test')).at(-1)?.anonPages, pages(16));
    });
  await t.test('a full device', async (t) => {
    const machine = machineWith({ swapBytes: mib(4) });
    const set = machine.anon('/test', { mib: 16, generationsDown: 3 });
    await evictOldest(machine, '/test', 'anon', pages(16));
    t.same(machine.where(set), { memory: pages(12), swap: pages(4), storage: 0 });
    t.equal(await machine.kernel.memory.swapRoom('/test'), 0);
  });
});

void t.test('devices fill by priority', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock(), swapBytes: [mib(4), mib(64)] });
  machine.anon('/test', { mib: 16, generationsDown: 3 });
  await evictOldest(machine, '/test', 'anon', pages(16));
  t.match(await machine.kernel.swap.devices(), [{ usedBytes: mib(4) }, { usedBytes: mib(12) }]);
});

void t.test('only the swapped ranges of a process are listed, lowest first', async (t) => {
  const machine = machineWith();
  const pid = machine.task('/test');
  const stranger = machine.task('/test');
  machine.anon('/test', { mib: 4, pid, generationsDown: 3 });
  machine.anon('/test', { mib: 4, pid });
  machine.anon('/test', { mib: 8, pid, generationsDown: 3 });
  machine.anon('/test', { mib: 4, pid: stranger, generationsDown: 3 });
  await evictOldest(machine, '/test', 'anon', pages(16));
  const sizes = (await rangesOf(machine, pid)).map(({ start, end }) => end - start);
  t.same(sizes, [mib(4), mib(8)]);
});

void t.test('memory that is charged to several memcgs is listed by address all the same', async (t) => {
  const machine = machineWith();
  machine.memcg('/listed-first');
  const pid = machine.task('/test');
  machine.anon('/test', { mib: 4, pid, generationsDown: 3 });
  machine.anon('/listed-first', { mib: 8, pid, generationsDown: 3 });
  for (const path of ['/test', '/listed-first']) await evictOldest(machine, path, 'anon', pages(8));
  const sizes = (await rangesOf(machine, pid)).map(({ start, end }) => end - start);
  t.same(sizes, [mib(4), mib(8)]);
});

void t.test('part of a range can be populated', async (t) => {
  const machine = machineWith();
  const pid = machine.task('/test');
  const set = machine.anon('/test', { mib: 8, generationsDown: 3 });
  await evictOldest(machine, '/test', 'anon', pages(8));
  const [all] = await rangesOf(machine, pid);
  if (!all) throw new Error('nothing was swapped out');
  const middle = { start: all.start + mib(2), end: all.start + mib(5) };
  t.equal(await machine.kernel.processes.populate(pid, middle), mib(3));
  t.equal(machine.where(set).memory, pages(3));
  t.same(await rangesOf(machine, pid), [
    { start: all.start, end: middle.start },
    { start: middle.end, end: all.end },
  ]);
});

void t.test('populate reads as far as memory is mapped', async (t) => {
  const machine = machineWith();
  const pid = machine.task('/test');
  machine.anon('/test', { mib: 8, generationsDown: 3 });
  await evictOldest(machine, '/test', 'anon', pages(8));
  const [all] = await rangesOf(machine, pid);
  if (!all) throw new Error('nothing was swapped out');
  t.equal(await machine.kernel.processes.populate(pid, { start: all.start, end: all.end + mib(1) }), mib(8));
  t.equal(await machine.kernel.processes.populate(pid, { start: 0, end: mib(1) }), 0);
});

void t.test('a process that ends takes its memory and slots along, and has no ranges any more', async (t) => {
  const machine = machineWith();
  const pid = machine.task('/test');
  machine.anon('/test', { mib: 4, generationsDown: 3 });
  machine.anon('/test', { mib: 4 });
  machine.anon('/test', { mib: 4, generationsDown: 3 });
  await evictOldest(machine, '/test', 'anon', pages(8));
  const seen: AddressRange[] = [];
  for await (const range of machine.kernel.processes.swappedRanges(pid)) {
    seen.push(range);
    machine.exit(pid);
    t.equal(await machine.kernel.processes.populate(pid, range), 0);
  }
  t.equal(seen.length, 1);
  t.equal(await machine.kernel.memory.swapUsed('/'), 0);
  t.same(await machine.kernel.memcgs.tasks('/test'), []);
});

void t.test('populating beyond memory.max, of an ancestor too, is noted as a kill', async (t) => {
  const machine = machineWith();
  const pid = machine.task('/pod/test');
  const set = machine.anon('/pod/test', { mib: 8, generationsDown: 3 });
  await evictOldest(machine, '/pod/test', 'anon', pages(8));
  machine.kernel.settings.write('/sys/fs/cgroup/pod/memory.max', String(mib(4)));
  t.equal(await machine.kernel.memory.room('/pod/test'), mib(4));
  t.equal(await populateAll(machine, pid), 0);
  t.equal(machine.where(set).swap, pages(8));
  t.same(machine.oomKills, [{ pid, path: '/pod/test' }]);
});

void t.test('swapped shared memory does not show in pagemap', async (t) => {
  const machine = machineWith();
  const pid = machine.task('/test');
  const shared = machine.anon('/test', { mib: 8, shmem: true, generationsDown: 3 });
  t.match(await machine.kernel.memory.stat('/test'), { anonBytes: 0, fileBytes: mib(8), shmemBytes: mib(8) });
  await evictOldest(machine, '/test', 'anon', pages(8));
  t.equal(await machine.kernel.memory.swapUsed('/test'), mib(8));
  t.same(await rangesOf(machine, pid), []);
  const start = shared.nature.mapping?.address ?? 0;
  machine.exit(pid);
  t.equal(machine.where(shared).swap, pages(8), 'it outlives its process');
  t.equal(await machine.kernel.processes.populate(pid, { start, end: start + mib(8) }), 0);
});

void t.test(
  'zswap takes what is swapped out; with memory.zswap.max at 0 no more than it has, older pages go to the device',
  async (t) => {
    const machine = machineWith({ zswap: true });
    const pid = machine.task('/test');
    machine.anon('/test', { mib: 16, generationsDown: 3 });
    await evictOldest(machine, '/test', 'anon', pages(8));
    t.match(await machine.kernel.memory.stat('/'), { zswapOutPages: pages(8), zswapInPages: 0 });
    machine.kernel.settings.write('/sys/fs/cgroup/test/memory.zswap.max', '0');
    await evictOldest(machine, '/test', 'anon', pages(8));
    t.match(await machine.kernel.memory.stat('/test'), { zswapOutPages: pages(16), zswapWrittenBackPages: pages(8) });
    await populateAll(machine, pid);
    t.equal((await machine.kernel.memory.stat('/test')).zswapInPages, pages(8));
  },
);

void t.test('swapoff brings everything back, and leaves no slot behind', async (t) => {
  const machine = machineWith();
  const away = machine.anon('/test', { mib: 64, generationsDown: 3 });
  await evictOldest(machine, '/test', 'anon', pages(64));
  machine.swapoff();
  t.same(machine.where(away), { memory: pages(64), swap: 0, storage: 0 });
  t.same(await machine.kernel.swap.devices(), []);
  t.equal(await machine.kernel.memory.swapUsed('/test'), 0);
  t.equal(await machine.kernel.memory.swapRoom('/test'), 0);
});
