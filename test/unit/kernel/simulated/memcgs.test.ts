import t from 'tap';
import { fromText } from '../../../../src/kernel/text.js';
import { gib, mib } from '../../../../src/kernel/simulated/bytes.js';
import { SimulatedClock } from '../../../../src/kernel/simulated/clock.js';
import { simulatedMachine } from '../../../../src/kernel/simulated/machine.js';
import { age, evictOldest, generationsOf, pages } from './driving.js';

void t.test('memcgs are listed parents first, the root and our own included', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  machine.memcg('/pod/one');
  machine.memcg('/pod/two');
  const { memcgs } = machine.kernel;
  t.same(
    (await memcgs.list()).map(({ path }) => path),
    ['/', '/system.slice', '/system.slice/coldpgs.service', '/pod', '/pod/one', '/pod/two'],
  );
  t.same(memcgs.childNames('/pod'), ['one', 'two']);
  t.same(memcgs.childNames('/nobody'), []);
  t.equal(memcgs.own(), '/system.slice/coldpgs.service');
});

void t.test('names are bytes: spaces and anything that is not ASCII', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  const path = fromText('/a b/größe 内存');
  machine.memcg(path);
  t.equal(machine.kernel.memcgs.at(path)?.path, path);
  t.equal((await machine.kernel.lruGen.readOne(path))?.path, path);
  t.same(machine.kernel.memcgs.childNames('/a b'), [fromText('größe 内存')]);
});

void t.test('an inode is never given again; a small id is, an inode as id is not', async (t) => {
  for (const { release, reused } of [
    { release: '6.12.0', reused: true },
    { release: '7.2.0', reused: false },
  ])
    await t.test(release, async (t) => {
      const machine = simulatedMachine({ clock: new SimulatedClock(), release });
      const before = machine.memcg('/test');
      const idBefore = (await machine.kernel.lruGen.readOne('/test'))?.id;
      machine.rmdir('/test');
      t.equal(machine.kernel.memcgs.at('/test'), undefined);
      const after = machine.memcg('/test');
      const idAfter = (await machine.kernel.lruGen.readOne('/test'))?.id;
      t.not(after.inode, before.inode);
      t.equal(idAfter === idBefore, reused);
      t.equal(idAfter === after.inode.toString(), !reused);
    });
});

void t.test(
  'after rmdir 6.12 lists id 0 as long as page cache is left, and its ancestors still count it',
  async (t) => {
    const clock = new SimulatedClock();
    const machine = simulatedMachine({ clock, release: '6.12.0' });
    const left = machine.file('/pod/zomb', { mib: 8, touchedEveryMs: 500 });
    machine.rmdir('/pod/zomb');
    const listed = await machine.kernel.lruGen.read();
    t.match(
      listed.find(({ path }) => path === '/pod/zomb'),
      { id: '0', nodes: [{ generations: [{}, {}, {}, { filePages: pages(8) }] }] },
    );
    t.equal((await machine.kernel.memory.stat('/pod')).fileBytes, mib(8));
    t.equal((await machine.kernel.lruGen.readOne('/pod/zomb'))?.id, '0');
    t.match(
      await machine.kernel.lruGen.age([
        { id: '0', path: '/pod/zomb', node: 0, maxSeq: 3n },
        { id: '0', path: '/pod', node: 0, maxSeq: 3n },
      ]),
      [{ error: { code: 'MEMCG_GONE' } }, { error: { code: 'KERNEL_REFUSED', cause: { code: 'EINVAL' } } }],
      'no command can address it',
    );
    machine.drop(left);
    t.equal(await machine.kernel.lruGen.readOne('/pod/zomb'), undefined);
    t.notOk((await machine.kernel.lruGen.read()).some(({ path }) => path === '/pod/zomb'));
  },
);

void t.test('nobody uses the page cache of a removed memcg any more', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock, release: '6.12.0' });
  const left = machine.file('/zomb', { mib: 8, touchedEveryMs: 500, generationsDown: 3 });
  await evictOldest(machine, '/zomb', 'file', pages(8));
  machine.rmdir('/zomb');
  await clock.advance(5000);
  t.equal(machine.where(left).storage, pages(8));
});

void t.test('a new memcg at the path of a removed one is not mistaken for it', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock(), release: '6.12.0' });
  machine.file('/test', { mib: 8 });
  machine.rmdir('/test');
  machine.memcg('/test');
  t.equal((await machine.kernel.lruGen.read()).filter(({ path }) => path === '/test').length, 2);
  t.not((await machine.kernel.lruGen.readOne('/test'))?.id, '0');
  t.equal((await machine.kernel.memory.stat('/test')).fileBytes, 0);
});

void t.test('after rmdir 7.2 has the pages in the parent, as old as they were', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock, release: '7.2.0' });
  machine.file('/pod/zomb', { mib: 8, generationsDown: 2 });
  await age(machine, clock, '/pod', { times: 3 });
  machine.rmdir('/pod/zomb');
  t.notOk((await machine.kernel.lruGen.read()).some(({ path }) => path === '/pod/zomb'));
  t.match(await generationsOf(machine, '/pod'), [{}, { filePages: pages(8) }, {}, {}]);
  t.equal((await machine.kernel.memory.stat('/pod')).fileBytes, mib(8));
});

void t.test('rmdir ends the tasks, and their anonymous memory with them', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  machine.anon('/pod/test', { mib: 8 });
  machine.rmdir('/pod');
  t.same(machine.kernel.memcgs.childNames('/'), ['system.slice']);
  t.equal((await machine.kernel.memory.stat('/')).anonBytes, 0);
  await t.rejects(machine.kernel.memcgs.tasks('/pod/test'), { code: 'MEMCG_GONE', errno: 'ENOENT' });
  await t.rejects(machine.kernel.memory.stat('/pod'), { code: 'MEMCG_GONE' });
});

void t.test('a process that moves leaves its memory charged where it was', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  const pid = machine.task('/from');
  machine.anon('/from', { mib: 8 });
  machine.moveTask(pid, '/to');
  t.same(await machine.kernel.memcgs.tasks('/from'), []);
  t.same(await machine.kernel.memcgs.tasks('/to'), [pid]);
  t.equal((await machine.kernel.memory.stat('/from')).anonBytes, mib(8));
});

void t.test('memory.stat of cgroup v2 includes descendants, generations are the own only', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  machine.anon('/pod', { mib: 4 });
  machine.file('/pod/test', { mib: 8, generationsDown: 3 });
  machine.slab('/pod/test', { mib: 1 });
  await evictOldest(machine, '/pod/test', 'file', pages(2));
  t.match(await machine.kernel.memory.stat('/pod'), {
    anonBytes: mib(4),
    fileBytes: mib(6),
    slabReclaimableBytes: mib(1),
    stealPages: pages(2),
  });
  const own = await generationsOf(machine, '/pod');
  t.equal(
    own.reduce((sum, { filePages }) => sum + filePages, 0),
    0,
  );
});

void t.test('cgroup v1 counts the own only, knows no steal counter and has a swappiness for each memcg', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock(), cgroupVersion: 1, swapBytes: gib(1) });
  machine.file('/pod/test', { mib: 8 });
  t.match(await machine.kernel.memory.stat('/pod'), { fileBytes: 0, stealPages: undefined });
  machine.swappiness('/pod/test', 0);
  t.equal(await machine.kernel.memory.swappiness('/pod/test'), 0);
  t.equal(await machine.kernel.memory.swappiness('/pod'), 60);
  t.equal(machine.kernel.settings.memcgFile('/pod', 'memory.swap.max'), undefined);
});
