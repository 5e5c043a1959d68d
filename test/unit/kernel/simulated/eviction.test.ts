import t from 'tap';
import { gib } from '../../../../src/kernel/simulated/bytes.js';
import { SimulatedClock } from '../../../../src/kernel/simulated/clock.js';
import { simulatedMachine } from '../../../../src/kernel/simulated/machine.js';
import { age, evictOldest, generationsOf, oldest, pages } from './driving.js';

void t.test('cold anon goes to swap and anon in use stays', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock, swapBytes: gib(1) });
  const hot = machine.anon('/test', { mib: 64, touchedEveryMs: 500 });
  const cold = machine.anon('/test', { mib: 192 });
  await age(machine, clock, '/test', { times: 5 });
  await clock.advance(1500);
  await evictOldest(machine, '/test', 'anon', pages(192));
  t.same(machine.where(cold), { memory: 0, swap: pages(192), storage: 0 });
  await clock.advance(5000);
  t.same(machine.where(hot), { memory: pages(64), swap: 0, storage: 0 });
  t.equal((await machine.kernel.memory.stat('/test')).refaultAnonPages, 0);
});

void t.test('the kernel frees whole batches of 64 pages', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock });
  machine.file('/test', { mib: 8, generationsDown: 3 });
  await evictOldest(machine, '/test', 'file', 1);
  t.equal((await machine.kernel.memory.stat('/test')).stealPages, 64);
  await evictOldest(machine, '/test', 'file', 65);
  t.equal((await machine.kernel.memory.stat('/test')).stealPages, 192);
});

void t.test('inside a generation the order means nothing: an eviction takes from all of it alike', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  const one = machine.file('/test', { mib: 30, generationsDown: 3 });
  const other = machine.file('/test', { mib: 10, generationsDown: 3 });
  await evictOldest(machine, '/test', 'file', pages(8));
  t.equal(machine.where(one).storage, pages(6));
  t.equal(machine.where(other).storage, pages(2));
});

void t.test('older generations go first', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  const younger = machine.file('/test', { mib: 4, generationsDown: 2 });
  const older = machine.file('/test', { mib: 4, generationsDown: 3 });
  const command = await oldest(machine, '/test', 'file', pages(5));
  await machine.kernel.lruGen.evict({ ...command, minSeq: command.minSeq + 1n });
  t.equal(machine.where(older).storage, pages(4));
  t.equal(machine.where(younger).storage, pages(1));
});

void t.test('generations above the one that is named are left alone', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  const younger = machine.file('/test', { mib: 4, generationsDown: 2 });
  machine.file('/test', { mib: 4, generationsDown: 3 });
  await evictOldest(machine, '/test', 'file', pages(8));
  t.equal(machine.where(younger).memory, pages(4));
});

void t.test('the two youngest generations cannot be named', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  const set = machine.file('/test', { mib: 4, generationsDown: 1 });
  const command = await oldest(machine, '/test', 'file', pages(4));
  for (const minSeq of [2n, 3n, 99n])
    await t.rejects(machine.kernel.lruGen.evict({ ...command, minSeq }), {
      code: 'KERNEL_REFUSED',
      cause: { code: 'EINVAL' },
    });
  t.equal(machine.where(set).memory, pages(4));
});

void t.test('generations that hold nothing any more after an eviction of both types are gone', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock(), release: '6.12.0', swapBytes: gib(1) });
  machine.anon('/test', { mib: 4, generationsDown: 3 });
  machine.file('/test', { mib: 4, generationsDown: 3 });
  const younger = machine.file('/test', { mib: 4, generationsDown: 2 });
  const seqs = async (): Promise<bigint[]> => (await generationsOf(machine, '/test')).map(({ seq }) => seq);
  const command = await oldest(machine, '/test', 'file', pages(4));
  await machine.kernel.lruGen.evict(command);
  t.same(await seqs(), [0n, 1n, 2n, 3n], 'anon is still there');
  await machine.kernel.lruGen.evict({ ...command, swappiness: 'anon' });
  t.same(await seqs(), [1n, 2n, 3n]);
  await machine.kernel.lruGen.evict(command);
  t.equal(machine.where(younger).memory, pages(4), 'a generation that is gone can still be named, to no effect');
});

void t.test('an eviction of file alone leaves its generation listed: anon has an oldest of its own', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  machine.file('/test', { mib: 4, generationsDown: 3 });
  await evictOldest(machine, '/test', 'file', pages(4));
  t.match(await generationsOf(machine, '/test'), [{ seq: 0n, filePages: 0 }, { seq: 1n }, { seq: 2n }, { seq: 3n }]);
});

void t.test('a probe makes the kernel learn that page cache is used through read()', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock });
  const hot = machine.file('/test', { mib: 48, touchedEveryMs: 500 });
  const cold = machine.file('/test', { mib: 48 });
  await age(machine, clock, '/test', { times: 4 });
  await evictOldest(machine, '/test', 'file', 256);
  await clock.advance(1000);
  t.equal((await machine.kernel.memory.stat('/test')).refaultFilePages, 128, 'half of the probe was in use');
  await evictOldest(machine, '/test', 'file', pages(96));
  t.equal(machine.where(cold).storage, pages(48));
  t.equal(machine.where(hot).memory, pages(48));
});

void t.test('without a probe page cache in use is evicted, and comes back at its next use', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock });
  const hot = machine.file('/test', { mib: 48, touchedEveryMs: 500 });
  await age(machine, clock, '/test', { times: 4 });
  await evictOldest(machine, '/test', 'file', pages(48));
  t.equal(machine.where(hot).storage, pages(48));
  await clock.advance(500);
  t.equal(machine.where(hot).memory, pages(48));
  t.equal((await machine.kernel.memory.stat('/test')).refaultFilePages, pages(48));
  t.equal((await generationsOf(machine, '/test')).at(-1)?.filePages, pages(48), 'in the youngest generation');
});

void t.test('fewer than 64 refaults teach the kernel nothing', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock });
  const hot = machine.file('/test', { mib: 48, touchedEveryMs: 500 });
  machine.file('/test', { mib: 48 });
  await age(machine, clock, '/test', { times: 4 });
  await evictOldest(machine, '/test', 'file', 64);
  await clock.advance(1000);
  t.equal((await machine.kernel.memory.stat('/test')).refaultFilePages, 32);
  await evictOldest(machine, '/test', 'file', pages(96));
  t.equal(machine.where(hot).storage, pages(48) - 32);
});

void t.test('the next aging forgets what was learnt', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock });
  const hot = machine.file('/test', { mib: 48, touchedEveryMs: 500 });
  await age(machine, clock, '/test', { times: 4 });
  await evictOldest(machine, '/test', 'file', 256);
  await age(machine, clock, '/test');
  await evictOldest(machine, '/test', 'file', pages(48));
  t.equal(machine.where(hot).memory, 256, 'only what came back before is young');
});

void t.test(
  'right after an aging, what its walk missed is evicted though it is in use; a moment later it is kept',
  async (t) => {
    for (const { graceMs, lost } of [
      { graceMs: 0, lost: pages(24) },
      { graceMs: 1500, lost: 0 },
    ])
      await t.test(`${graceMs} ms after the aging`, async (t) => {
        const clock = new SimulatedClock();
        const machine = simulatedMachine({ clock, release: '7.2.0' });
        const hot = machine.file('/test', { mib: 48, access: 'mapped', touchedEveryMs: 500, missedByWalk: 0.5 });
        await age(machine, clock, '/test', { times: 5 });
        await clock.advance(graceMs);
        await evictOldest(machine, '/test', 'file', pages(48));
        t.equal(machine.where(hot).storage, lost);
        t.equal(
          (await generationsOf(machine, '/test')).at(-1)?.filePages,
          pages(24) - lost,
          'what is kept is young again',
        );
      });
  },
);

void t.test('dirty page cache is not freed; it leaves the generation for the next', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  const dirty = machine.file('/test', { mib: 8, dirty: true, generationsDown: 3 });
  await evictOldest(machine, '/test', 'file', pages(8));
  t.equal(machine.where(dirty).memory, pages(8));
  t.match(await generationsOf(machine, '/test'), [{ filePages: 0 }, { filePages: pages(8) }, {}, {}]);
  t.equal((await machine.kernel.memory.stat('/test')).stealPages, 0);
});

void t.test('mlocked memory is not evicted', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock(), swapBytes: gib(1) });
  const locked = machine.anon('/test', { mib: 8, mlocked: true, generationsDown: 3 });
  await evictOldest(machine, '/test', 'anon', pages(8));
  t.equal(machine.where(locked).memory, pages(8));
});

void t.test('"file" evicts page cache only', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock(), swapBytes: gib(1) });
  const anon = machine.anon('/test', { mib: 8, generationsDown: 3 });
  const file = machine.file('/test', { mib: 8, generationsDown: 3 });
  await evictOldest(machine, '/test', 'file', pages(16));
  t.equal(machine.where(anon).memory, pages(8));
  t.equal(machine.where(file).storage, pages(8));
});

void t.test('"anon" beyond what anon there is', async (t) => {
  for (const { release, turnsToFile } of [
    { release: '6.12.0', turnsToFile: true },
    { release: '7.2.0', turnsToFile: false },
  ])
    await t.test(`${release} ${turnsToFile ? 'turns to file' : 'leaves file alone'}`, async (t) => {
      const machine = simulatedMachine({ clock: new SimulatedClock(), release, swapBytes: gib(1) });
      const anon = machine.anon('/test', { mib: 8, generationsDown: 3 });
      const file = machine.file('/test', { mib: 8, generationsDown: 3 });
      await evictOldest(machine, '/test', 'anon', pages(12));
      t.equal(machine.where(anon).swap, pages(8));
      t.equal(machine.where(file).storage, turnsToFile ? pages(4) : 0);
    });
});

void t.test('the kernel looks at the id alone: reused, it names another memcg', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock(), release: '6.12.0' });
  machine.memcg('/short');
  const stale = await oldest(machine, '/short', 'file', pages(8));
  machine.rmdir('/short');
  const victim = machine.file('/victim', { mib: 8, generationsDown: 3 });
  await t.rejects(machine.kernel.lruGen.evict(stale), { code: 'MEMCG_GONE' }, 'nothing is at the path any more');
  machine.memcg('/short');
  await machine.kernel.lruGen.evict(stale);
  t.equal(machine.where(victim).storage, pages(8));
});

void t.test('an id of nobody, and a node that is not there, are refused', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  machine.memcg('/test');
  const command = await oldest(machine, '/test', 'file', 64);
  await t.rejects(machine.kernel.lruGen.evict({ ...command, id: '999' }), { cause: { code: 'EINVAL' } });
  await t.rejects(machine.kernel.lruGen.evict({ ...command, node: 1 }), { cause: { code: 'EINVAL' } });
});

void t.test('an eviction takes its time on the clock, by what it frees', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock, evictionMsPerMib: 2 });
  machine.file('/test', { mib: 8, generationsDown: 3 });
  await clock.finish(evictOldest(machine, '/test', 'file', pages(16)));
  t.equal(clock.nowMs(), 16);
});
