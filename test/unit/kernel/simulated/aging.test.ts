import t from 'tap';
import { SimulatedClock } from '../../../../src/kernel/simulated/clock.js';
import { simulatedMachine } from '../../../../src/kernel/simulated/machine.js';
import { age, evictOldest, generationsOf, pages } from './driving.js';

void t.test('a memcg starts with four generations', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  machine.memcg('/test');
  t.same(
    (await generationsOf(machine, '/test')).map(({ seq }) => seq),
    [0n, 1n, 2n, 3n],
  );
});

void t.test('the age of a generation is the time since the aging that made it', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock });
  machine.memcg('/test');
  await age(machine, clock, '/test', { times: 3, intervalMs: 1000 });
  await clock.advance(500);
  t.same(
    (await generationsOf(machine, '/test')).map(({ ageMs }) => ageMs),
    [3500, 2500, 1500, 500],
  );
});

void t.test('a fifth generation folds the oldest into the next', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock });
  machine.file('/test', { mib: 1, generationsDown: 3 });
  machine.file('/test', { mib: 2, generationsDown: 2 });
  await age(machine, clock, '/test');
  t.match(await generationsOf(machine, '/test'), [
    { seq: 1n, filePages: pages(3) },
    { seq: 2n, filePages: 0 },
    { seq: 3n, filePages: 0 },
    { seq: 4n, filePages: 0 },
  ]);
});

void t.test(
  'mapped memory in use moves up: an aging puts it in the youngest generation, before it makes the next',
  async (t) => {
    const clock = new SimulatedClock();
    const machine = simulatedMachine({ clock });
    machine.anon('/test', { mib: 64, touchedEveryMs: 500 });
    machine.anon('/test', { mib: 192 });
    await age(machine, clock, '/test', { times: 5 });
    t.match(await generationsOf(machine, '/test'), [
      { anonPages: pages(192) },
      { anonPages: 0 },
      { anonPages: pages(64) },
      { anonPages: 0 },
    ]);
  },
);

void t.test('memory that was used between two agings only moves up once', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock });
  const set = machine.file('/test', { mib: 8, access: 'mapped', generationsDown: 3 });
  await clock.advance(1);
  machine.touch(set);
  await age(machine, clock, '/test');
  t.match(await generationsOf(machine, '/test'), [{}, {}, { filePages: pages(8) }, {}]);
  await age(machine, clock, '/test');
  t.match(await generationsOf(machine, '/test'), [{}, { filePages: pages(8) }, {}, {}]);
});

void t.test('a use that ended since the last aging still counts', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock });
  const set = machine.anon('/test', { mib: 8, touchedEveryMs: 500, generationsDown: 3 });
  await clock.advance(1000);
  machine.touchEvery(set, undefined);
  await age(machine, clock, '/test');
  t.match(await generationsOf(machine, '/test'), [{}, {}, { anonPages: pages(8) }, {}]);
});

void t.test('page cache used through read() looks cold', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock });
  machine.file('/test', { mib: 48, access: 'read', touchedEveryMs: 500 });
  machine.file('/test', { mib: 48, access: 'read' });
  await age(machine, clock, '/test', { times: 4 });
  t.match(await generationsOf(machine, '/test'), [{ filePages: pages(96) }, {}, {}, {}]);
});

void t.test(
  'the walk can miss part of large folios in use: the oldest generation over-states what is cold',
  async (t) => {
    const clock = new SimulatedClock();
    const machine = simulatedMachine({ clock, release: '7.2.0' });
    machine.file('/test', { mib: 48, access: 'mapped', touchedEveryMs: 500, missedByWalk: 0.5 });
    await age(machine, clock, '/test', { times: 5 });
    t.match(await generationsOf(machine, '/test'), [{ filePages: pages(24) }, {}, { filePages: pages(24) }, {}]);
  },
);

void t.test('with newCacheIsOld, page cache that read() brings in looks old, as on a real kernel', async (t) => {
  for (const { release, first } of [
    { release: '6.12.0', first: 1 },
    { release: '7.2.0', first: 0 },
  ])
    await t.test(release, async (t) => {
      const machine = simulatedMachine({ clock: new SimulatedClock(), release, newCacheIsOld: true });
      const sizes = async (): Promise<number[]> =>
        (await generationsOf(machine, '/test')).map(({ filePages }) => filePages);
      machine.file('/test', { mib: 4, access: 'mapped' });
      t.same(await sizes(), [0, 0, 0, pages(4)], 'page faults bring in young pages');
      const read = machine.file('/test', { pages: 128 });
      t.equal((await sizes())[first], 128);
      machine.drop(read);

      const back = machine.file('/test', { pages: 128, generationsDown: 3 });
      await evictOldest(machine, '/test', 'file', 64);
      machine.touch(back);
      t.equal((await sizes())[first], first === 0 ? 128 : 64, 'what comes back starts where new pages do');
      machine.drop(back);

      const alone = machine.file('/test', { pages: 128, generationsDown: 3 });
      await evictOldest(machine, '/test', 'file', 128);
      machine.touch(alone);
      t.same(await sizes(), [0, 0, 128, pages(4)], 'with two generations of file left, that is the older of them');
    });
});

void t.test('a command behind the youngest generation', async (t) => {
  for (const { release, ages } of [
    { release: '6.12.0', ages: false },
    { release: '7.2.0', ages: true },
  ])
    await t.test(`${release}: ${ages ? 'ages' : 'does nothing and says nothing'}`, async (t) => {
      const machine = simulatedMachine({ clock: new SimulatedClock(), release });
      machine.memcg('/test');
      const id = (await machine.kernel.lruGen.readOne('/test'))?.id ?? '';
      t.same(await machine.kernel.lruGen.age([{ id, path: '/test', node: 0, maxSeq: 2n }]), []);
      t.equal((await generationsOf(machine, '/test')).at(-1)?.seq, ages ? 4n : 3n);
    });
});

void t.test('targets that are refused are answered, the others are aged', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  machine.memcg('/test');
  const id = (await machine.kernel.lruGen.readOne('/test'))?.id ?? '';
  const good = { id, path: '/test', node: 0, maxSeq: 3n };
  const bad = [
    { ...good, maxSeq: 99n },
    { ...good, id: '999' },
    { ...good, node: 7 },
  ];
  const refusals = await machine.kernel.lruGen.age([...bad, good]);
  t.match(
    refusals,
    bad.map((target) => ({ target, error: { code: 'KERNEL_REFUSED', cause: { code: 'EINVAL' } } })),
  );
  t.equal((await generationsOf(machine, '/test')).at(-1)?.seq, 4n);
});

void t.test('each node has its own generations', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock, nodes: 2 });
  machine.anon('/test', { mib: 4, node: 1 });
  await age(machine, clock, '/test');
  t.equal((await generationsOf(machine, '/test', 0)).at(-1)?.seq, 4n);
  t.match(await generationsOf(machine, '/test', 1), [{}, {}, {}, { seq: 3n, anonPages: pages(4) }]);
});

void t.test('mlocked memory is in no generation', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  machine.anon('/test', { mib: 4, mlocked: true });
  t.match(await generationsOf(machine, '/test'), [
    { anonPages: 0 },
    { anonPages: 0 },
    { anonPages: 0 },
    { anonPages: 0 },
  ]);
  t.match(await machine.kernel.memory.stat('/test'), { anonBytes: 4 * 2 ** 20, unevictableBytes: 4 * 2 ** 20 });
});
