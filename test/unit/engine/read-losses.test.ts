import t from 'tap';
import { ReadLosses, takesTooYoung, type WatchedFrame } from '../../../src/engine/read-losses.js';
import { memcgOf, ModelFrames } from './frames-kernel.js';
import { pages, world } from './world.js';

const memcg = memcgOf('/a', 7n);

const watch = (frames: ModelFrames, sampled: readonly WatchedFrame[], { mappedFrames = 0 } = {}): Promise<ReadLosses> =>
  ReadLosses.watch(frames.interfaces.pageFrames, Number(memcg.inode), sampled, mappedFrames);

void t.test('counts the sampled pages that are gone, and those of them that were read too lately', async (t) => {
  const frames = new ModelFrames();
  frames.add(memcg, 'file', 300);
  const losses = await watch(
    frames,
    Array.from({ length: 300 }, (_, pfn) => ({ pfn, young: pfn < 100 })),
  );
  t.equal(losses.youngFrames, 100);
  t.equal(losses.youngShare, 1 / 3);
  t.strictSame(await losses.soFar(), { gone: 0, young: 0 });
  for (const pfn of [0, 1, 150, 151, 152]) frames.pages[pfn] = undefined;
  t.strictSame(await losses.soFar(), { gone: 5, young: 2 });
});

void t.test('what went between the look and the run is no loss of the run', async (t) => {
  const frames = new ModelFrames();
  frames.add(memcg, 'file', 100);
  for (let pfn = 0; pfn < 50; pfn++) frames.pages[pfn] = undefined;
  const losses = await watch(
    frames,
    Array.from({ length: 100 }, (_, pfn) => ({ pfn, young: true })),
  );
  t.equal(losses.youngFrames, 50);
  t.strictSame(await losses.soFar(), { gone: 0, young: 0 });
});

void t.test('of what was read ahead at the look and is mapped by now no read is known', async (t) => {
  const frames = new ModelFrames();
  for (const page of frames.add(memcg, 'file', 100).slice(0, 75)) page.mapped = true;
  const losses = await watch(
    frames,
    Array.from({ length: 100 }, (_, pfn) => ({ pfn, young: true })),
  );
  t.equal(losses.youngFrames, 25);
  t.equal(losses.youngShare, 0.25);
  for (let pfn = 0; pfn < 76; pfn++) frames.pages[pfn] = undefined;
  t.strictSame(await losses.soFar(), { gone: 1, young: 1 });
});

void t.test('the share of what was read is of mapped page cache, too', async (t) => {
  const frames = new ModelFrames();
  frames.add(memcg, 'file', 10);
  const sampled = Array.from({ length: 10 }, (_, pfn) => ({ pfn, young: true }));
  t.equal((await watch(frames, sampled, { mappedFrames: 30 })).youngShare, 0.25);
  t.equal((await watch(frames, [])).youngShare, 0);
});

void t.test("a frame that holds another memcg's page now has lost its own", async (t) => {
  const frames = new ModelFrames();
  frames.add(memcg, 'file', 2);
  const losses = await watch(frames, [{ pfn: 0, young: true }]);
  frames.pages[0] = new ModelFrames().add(memcgOf('/b', 8n), 'file', 1)[0];
  t.strictSame(await losses.soFar(), { gone: 1, young: 1 });
});

void t.test('a few by chance are none, more are too many', async (t) => {
  t.equal(takesTooYoung({ gone: 0, young: 0 }), false);
  t.equal(takesTooYoung({ gone: 2, young: 2 }), false);
  t.equal(takesTooYoung({ gone: 3, young: 3 }), true);
  t.equal(takesTooYoung({ gone: 100, young: 5 }), false);
  t.equal(takesTooYoung({ gone: 100, young: 6 }), true);
});

void t.test('a run leaves page cache alone that is read within the threshold, and takes what is not', async (t) => {
  const machine = await world();
  await machine.engine.start();
  machine.engine.global.mode = 1;
  const read = machine.machine.file('/read', { mib: 32, touchedEveryMs: 25_000 });
  const cold = machine.machine.file('/cold', { mib: 32 });
  for (const path of ['/read', '/cold']) await machine.letAge(path, 5);
  for (const path of ['/read', '/cold']) await machine.reclaim(path, 5);
  t.equal(machine.machine.where(read).memory, pages(32), 'not even a probe');
  t.match(machine.problems(), [/read: page cache was left alone: 100 % of it was read within 5 periods/]);
  t.ok(machine.machine.where(cold).memory <= 64, `${machine.machine.where(cold).memory} pages left`);
});

void t.test('page cache that is read is not nearly all of it where more is mapped', async (t) => {
  const machine = await world();
  await machine.engine.start();
  machine.engine.global.mode = 1;
  machine.machine.file('/both', { mib: 32, touchedEveryMs: 25_000 });
  const cold = machine.machine.file('/both', { mib: 96, access: 'mapped' });
  await machine.letAge('/both', 5);
  await machine.reclaim('/both', 5);
  t.ok(machine.machine.where(cold).memory < pages(96), 'a probe, at least');
});

void t.test('page cache is left alone where hardly any of what is in old generations can be idle', async (t) => {
  const machine = await world();
  await machine.engine.start();
  machine.engine.global.mode = 1;
  const cold = machine.machine.file('/a', { mib: 32, access: 'mapped' });
  await machine.letAge('/a', 5);
  const seenIdle = (idle: number): unknown => Object.assign(machine.engine.tracker, { idleFilePages: () => idle });
  seenIdle(pages(3));
  await machine.reclaim('/a', 5);
  t.equal(machine.machine.where(cold).memory, pages(32), 'not even a probe');
  t.match(machine.problems(), [/a: page cache was left alone: 91 % of it was used within 5 periods/]);
  seenIdle(pages(4));
  await machine.reclaim('/a', 5);
  t.ok(machine.machine.where(cold).memory <= 64, `${machine.machine.where(cold).memory} pages left`);
});

void t.test('a run on a memcg that has both stops soon after it took what is read', async (t) => {
  const machine = await world();
  await machine.engine.start();
  machine.engine.global.mode = 1;
  const read = machine.machine.file('/both', { mib: 32, touchedEveryMs: 25_000 });
  const cold = machine.machine.file('/both', { mib: 32 });
  await machine.letAge('/both', 5);
  await machine.reclaim('/both', 5);
  const lost = pages(32) - machine.machine.where(read).memory;
  const gone = pages(32) - machine.machine.where(cold).memory;
  t.ok(lost <= 256 || lost <= gone * 0.15, `${lost} in use and ${gone} cold pages went`);
  t.match(machine.problems(), [/both: page cache was left alone: \d+ of \d+ evicted pages/]);
});
