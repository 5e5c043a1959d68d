import { setImmediate as immediate } from 'node:timers/promises';
import t from 'tap';
import { idleRows } from '../../../src/engine/histogram.js';
import { refused, type World, world } from './world.js';

/** Mebibytes that a memcg's own memory.idle_page_stats shows in some rows. */
function shownMib(it: World, path: string, ...rows: (typeof idleRows)[number][]): number {
  const { histogram, buckets } = it.engine.kidled.stats(it.at(path), 'own');
  const columns = buckets.length;
  const bytes = rows.flatMap((row) => [
    ...histogram.slice(idleRows.indexOf(row) * columns, (idleRows.indexOf(row) + 1) * columns),
  ]);
  return bytes.reduce((sum, one) => sum + one, 0) / 2 ** 20;
}

const slabMib = (it: World, path: string): number => shownMib(it, path, 'slab');
const lockedMib = (it: World, path: string): number => shownMib(it, path, 'csui', 'cfui');

/** Lets scan periods pass where hundreds of memcgs are: looks at them give way to other work again and again, which the clock does not wait for. */
async function looks(it: World, count: number): Promise<void> {
  for (let period = 0; period < count; period++) {
    await it.periods(1);
    for (let step = 0; step < 50; step++) await immediate();
  }
}

/** A world that scans slab too, and how often memory.stat was read in each scan period, by path. */
async function counting(options: Parameters<typeof world>[0] = {}) {
  const it = await world(options);
  it.engine.kidled.scanTarget = 3;
  let read: string[] = [];
  const { memory } = it.machine.kernel;
  const stat = memory.stat.bind(memory);
  memory.stat = async (path) => {
    read.push(path);
    return stat(path);
  };
  const period = async (): Promise<string[]> => {
    read = [];
    await looks(it, 1);
    return read;
  };
  return { it, period };
}

void t.test('slab and locked memory show in memcgs without a page on a list, and only there', async (t) => {
  for (const cgroupVersion of [1, 2] as const) {
    const { it } = await counting({ cgroupVersion });
    it.machine.anon('/', { mib: 8 });
    it.machine.slab('/', { mib: 1 });
    it.machine.slab('/pod/slab', { mib: 3 });
    it.machine.anon('/pod/locked', { mib: 4, mlocked: true });
    it.machine.memcg('/pod/empty');
    await it.periods(3);
    const all = ['/', '/pod', '/pod/slab', '/pod/locked', '/pod/empty'];
    if (cgroupVersion === 2)
      t.same(
        all.map((path) => slabMib(it, path)),
        [1, 0, 3, 0, 0],
      );
    t.same(
      all.map((path) => lockedMib(it, path)),
      [0, 0, 0, 4, 0],
      `cgroup v${cgroupVersion}`,
    );
  }
});

void t.test('slab that outlives the pages of its memcg is taken off the parent, and read again', async (t) => {
  const { it } = await counting();
  it.machine.anon('/', { mib: 8 });
  const gone = it.machine.file('/pod', { mib: 8, access: 'mapped' });
  it.machine.slab('/pod', { mib: 3 });
  await it.periods(3);
  it.machine.drop(gone);
  it.machine.slab('/pod', { mib: 2 });
  // The root's own pages tell that it has to be read as well.
  it.machine.anon('/', { mib: 1 });
  await it.periods(2);
  t.same([slabMib(it, '/'), slabMib(it, '/pod')], [0, 2]);
  it.machine.slab('/pod', { mib: 1 });
  await it.periods(21);
  t.same([slabMib(it, '/'), slabMib(it, '/pod')], [0, 1]);
  it.machine.slab('/pod', { mib: 0 });
  await it.periods(21);
  t.same([slabMib(it, '/'), slabMib(it, '/pod')], [0, 0]);
});

void t.test('what comes to a memcg that was empty is found in its turn, with its ancestors', async (t) => {
  const { it } = await counting();
  it.machine.anon('/', { mib: 8 });
  for (let index = 0; index < 200; index++) it.machine.memcg(`/slice/${index}/app`);
  await looks(it, 2);
  it.machine.slab('/slice/7/app', { mib: 2 });
  it.machine.anon('/slice/150/app', { mib: 4, mlocked: true });
  await looks(it, 10);
  t.same(
    ['/', '/slice', '/slice/7', '/slice/7/app'].map((path) => slabMib(it, path)),
    [0, 0, 0, 2],
  );
  t.same(
    ['/', '/slice', '/slice/150', '/slice/150/app'].map((path) => lockedMib(it, path)),
    [0, 0, 0, 4],
  );
});

void t.test("what was found below one that was empty a look before is not its ancestors' own", async (t) => {
  // In some of these the turn of the parent ends one look, and that of its child begins the next.
  for (let others = 58; others < 66; others++) {
    const { it } = await counting();
    for (let index = 0; index < others; index++) it.machine.memcg(`/${index}`);
    it.machine.memcg('/parent/child');
    const look = async (): Promise<void> => {
      it.machine.anon('/', { mib: 1 });
      await looks(it, 1);
    };
    await look();
    await look();
    it.machine.slab('/parent/child', { mib: 2 });
    for (let round = 0; round < 5 && slabMib(it, '/parent/child') === 0; round++) await look();
    await look();
    t.same(
      ['/', '/parent', '/parent/child'].map((path) => slabMib(it, path)),
      [0, 0, 2],
      `${others}`,
    );
  }
});

void t.test('a thousand empty memcgs cost a few readings a round', async (t) => {
  const { it, period } = await counting();
  it.machine.anon('/', { mib: 8 });
  it.machine.anon('/used', { mib: 8 });
  for (let index = 0; index < 1000; index++) it.machine.memcg(`/empty/${index}`);
  const first = await period();
  t.ok(new Set(first).size >= 1002, 'each is read once');
  const later = new Set<string>();
  for (let round = 0; round < 16; round++) {
    const read = await period();
    t.ok(read.length <= 67, `${read.length} in a round`);
    for (const path of read) later.add(path);
  }
  t.ok(later.size >= 1000, 'and again, in turn');
});

void t.test('an empty memcg whose memory.stat cannot be read does not hide what its parent has', async (t) => {
  const { it } = await counting();
  it.machine.anon('/pod', { mib: 8 });
  it.machine.slab('/pod', { mib: 2 });
  it.machine.memcg('/pod/empty');
  const { memory } = it.machine.kernel;
  const stat = memory.stat.bind(memory);
  memory.stat = (path) => {
    if (path !== '/pod/empty') return stat(path);
    it.machine.failNext('stat', refused('EIO', 'no'));
    return stat(path);
  };
  await it.periods(4);
  t.equal(slabMib(it, '/pod'), 2);
});

void t.test('where there is no time for empty memcgs, those with pages come first', async (t) => {
  const { it, period } = await counting();
  for (let index = 0; index < 300; index++) it.machine.memcg(`/empty/${index}`);
  it.machine.anon('/used', { mib: 8 });
  it.machine.slab('/used', { mib: 2 });
  const { memory } = it.machine.kernel;
  const stat = memory.stat.bind(memory);
  // A look may spend 60 ms on it.
  memory.stat = async (path) => {
    await it.clock.sleep(40);
    return stat(path);
  };
  const read: string[] = [];
  for (let round = 0; round < 6; round++) read.push(...(await period()));
  t.equal(read[0], '/used');
  t.equal(slabMib(it, '/used'), 2);
  t.ok(
    read.some((path) => path.startsWith('/empty')),
    'and the others when those are done',
  );
});
