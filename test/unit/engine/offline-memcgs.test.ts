import t from 'tap';
import { mib } from '../../../src/kernel/simulated/bytes.js';
import { pages, refused, type World, world, type WorldOptions } from './world.js';

/** A removed memcg below /pod with 16 MiB of page cache, beside a living one with 8 MiB that is used all the time. */
async function removed({ mode = 3, ...options }: WorldOptions & { readonly mode?: number } = {}) {
  const it = await world(options);
  it.engine.global.mode = mode;
  const left = it.machine.file('/pod/gone', { mib: 16 });
  const used = it.machine.file('/pod/app', { mib: 8, touchedEveryMs: 400 });
  await it.periods(6);
  it.machine.rmdir('/pod/gone');
  return { it, left, used };
}

function dropped(it: World, path: string): number {
  return it.ledger(path)['pagecache dropped'] ?? 0;
}

void t.test('goes with a run of a memcg above it, whatever the size, and is counted there', async (t) => {
  for (const release of ['6.1.0', '6.12.0'])
    for (const mode of [1, 3])
      await t.test(`mode ${mode} on ${release}`, async (t) => {
        const { it, left, used } = await removed({ mode, release });
        await it.periods(3);
        await it.reclaim('/pod', 2, mib(1));
        t.equal(it.machine.where(left).storage, pages(16));
        t.equal(it.machine.where(used).storage, 0);
        t.equal(dropped(it, '/pod'), pages(16));
        t.same(it.problems(), []);
        t.equal(it.setting('/sys/fs/cgroup/pod/memory.swap.max'), 'max');
      });
});

void t.test('goes with the global threshold', async (t) => {
  const { it } = await removed();
  await it.periods(3);
  await it.reclaimAll(2);
  t.equal(dropped(it, '/pod'), pages(16));
});

void t.test('what its tasks used shortly before it was removed stays until it is idle long enough', async (t) => {
  const { it, left } = await removed();
  const young = it.machine.file('/pod/late', { mib: 16, touchedEveryMs: 400 });
  await it.periods(3);
  it.machine.rmdir('/pod/late');
  await it.periods(1.5);
  await it.reclaim('/pod', 4);
  t.equal(it.machine.where(young).storage, 0);
  await it.periods(4);
  await it.reclaim('/pod', 4);
  t.equal(it.machine.where(young).storage, pages(16));
  t.equal(it.machine.where(left).storage, pages(16));
});

void t.test('ends when the kernel takes living memcgs’ pages instead', async (t) => {
  const { it } = await removed({ mode: 1 });
  it.machine.file('/pod/app', { mib: 32 });
  await it.periods(3);
  const { memoryReclaim } = it.machine.kernel;
  const asked: number[] = [];
  memoryReclaim.reclaim = async (_path, bytes) => {
    asked.push(bytes);
    const app = (await it.machine.kernel.lruGen.readOne('/pod/app'))!;
    const node = app.nodes[0]!;
    const minSeq = node.generations[0]!.seq;
    await it.machine.kernel.lruGen.evict({
      id: app.id,
      path: '/pod/app',
      node: 0,
      minSeq,
      swappiness: 'file',
      pages: 256,
    });
    await it.machine.kernel.lruGen.evict({
      id: app.id,
      path: '/pod/app',
      node: 0,
      minSeq,
      swappiness: 'file',
      pages: 256,
    });
  };
  await it.reclaim('/pod', 2);
  t.same(asked, [mib(1)]);
  t.match(it.problems(), [/^\/pod: below \/pod: the kernel took more of living memcgs than of removed ones/]);
});

void t.test('on cgroup v1, which has no memory.reclaim, it stays and that is told', async (t) => {
  const { it } = await removed({ cgroupVersion: 1 });
  await it.periods(3);
  await it.reclaim('/pod', 2);
  t.equal(dropped(it, '/pod'), 0);
  t.match(it.problems(), [/^\/pod: below \/pod: 16384 kB of removed memcgs were left: there is no memory.reclaim/]);
});

void t.test('before 6.11 the root’s memory.reclaim cannot be held to page cache', async (t) => {
  const it = await world({ release: '6.1.0' });
  it.engine.global.mode = 1;
  it.machine.file('/gone', { mib: 4 });
  await it.periods(3);
  it.machine.rmdir('/gone');
  await it.periods(3);
  await it.reclaimAll(2);
  t.match(
    it.problems().join('\n'),
    /below \/: 4096 kB of removed memcgs were left: this kernel cannot be held to page cache/,
  );
});

void t.test('a refusal is the writer’s, and gives back what was borrowed', async (t) => {
  const { it } = await removed({ mode: 1, release: '6.1.0' });
  await it.periods(3);
  it.machine.failNext('reclaim', refused('EPERM', 'no'));
  await t.rejects(it.reclaim('/pod', 2), { code: 'KERNEL_REFUSED' });
  t.equal(it.setting('/sys/fs/cgroup/pod/memory.swap.max'), 'max');
});

void t.test('where pages of a removed memcg go to its parent, they age there', async (t) => {
  const { it, left } = await removed({ release: '7.2.0' });
  await it.periods(4);
  await it.reclaim('/pod', 2);
  t.equal(it.machine.where(left).storage, pages(16));
  t.same(it.problems(), []);
});
