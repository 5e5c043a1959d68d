import t from 'tap';
import { gib } from '../../../../src/kernel/simulated/bytes.js';
import { SimulatedClock } from '../../../../src/kernel/simulated/clock.js';
import { simulatedMachine } from '../../../../src/kernel/simulated/machine.js';
import { evictOldest, oldest, pages } from './driving.js';

void t.test('a failure that was ordered happens so many times, and nothing else does', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  const set = machine.file('/test', { mib: 8, generationsDown: 3 });
  machine.failNext('evict', new Error('first'));
  machine.failNext('evict', new Error('then'), 2);
  for (const message of ['first', 'then', 'then'])
    await t.rejects(evictOldest(machine, '/test', 'file', pages(8)), { message });
  t.equal(machine.where(set).memory, pages(8));
  await evictOldest(machine, '/test', 'file', pages(8));
  t.equal(machine.where(set).storage, pages(8));
});

void t.test('a failed aging is answered as a refusal', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  const error = new Error('busy');
  machine.failNext('age', error);
  const target = { id: '1', path: '/', node: 0, maxSeq: 3n };
  t.same(await machine.kernel.lruGen.age([target]), [{ target, error }]);
});

void t.test('every interface that can fail does so on order', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock(), swapBytes: gib(1) });
  const pid = machine.task('/test');
  const { lruGen, memory, swap, processes, settings } = machine.kernel;
  const error = new Error('ordered');
  machine.failNext('readGenerations', error, 2);
  await t.rejects(lruGen.read(), error);
  await t.rejects(lruGen.readOne('/test'), error);
  machine.failNext('stat', error);
  await t.rejects(memory.stat('/test'), error);
  machine.failNext('devices', error);
  await t.rejects(swap.devices(), error);
  machine.failNext('populate', error);
  await t.rejects(processes.populate(pid, { start: 0, end: 4096 }), error);
  machine.failNext('swappedRanges', error);
  await t.rejects(async () => {
    for await (const range of processes.swappedRanges(pid)) t.fail('no range is expected', { range });
  }, error);
  machine.failNext('readSetting', error);
  t.throws(() => settings.read('/proc/sys/vm/swappiness'), error);
  machine.failNext('writeSetting', error);
  t.throws(() => settings.write('/proc/sys/vm/swappiness', '1'), error);
});

void t.test('a hook can take the memcg away under an eviction', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  machine.file('/test', { mib: 8, generationsDown: 3 });
  machine.hooks.beforeEviction = () => machine.rmdir('/test');
  await t.rejects(evictOldest(machine, '/test', 'file', pages(8)), { code: 'MEMCG_GONE' });
});

void t.test('hooks see how many evictions run at a time, and what each freed', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock, evictionMsPerMib: 1 });
  machine.file('/one', { mib: 8, generationsDown: 3 });
  machine.file('/two', { mib: 4, generationsDown: 3 });
  const freed: [string, number][] = [];
  let running = 0;
  let most = 0;
  machine.hooks.beforeEviction = () => {
    most = Math.max(most, ++running);
  };
  machine.hooks.afterEviction = ({ path }, freedPages) => {
    running--;
    freed.push([path, freedPages]);
  };
  const commands = [await oldest(machine, '/one', 'file', pages(8)), await oldest(machine, '/two', 'file', pages(8))];
  await clock.finish(Promise.all(commands.map((command) => machine.kernel.lruGen.evict(command))));
  t.equal(most, 2);
  t.same(freed, [
    ['/two', pages(4)],
    ['/one', pages(8)],
  ]);
});
