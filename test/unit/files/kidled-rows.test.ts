import t from 'tap';
import { idleRows } from '../../../src/engine/histogram.js';
import { type Served, type ServedOptions } from './served.js';
import { watching, row, header, sumOf, statsPath, kidledPath } from './watching.js';

void t.test('page cache goes from bucket to bucket as periods pass', async (t) => {
  const it = await watching();
  it.world.machine.file('/test', { mib: 128 });
  const columns: number[] = [];
  for (let period = 1; period <= 40; period++) {
    await it.world.periods(1);
    columns.push(row(it, '/test', 'cfei').findIndex((one) => one === 128));
  }
  t.same(columns.slice(0, 6), [-1, 0, 1, 1, 1, 2]);
  t.same([columns[14], columns[15], columns[29], columns[30]], [2, 3, 3, 4]);
});

void t.test('a threshold takes it away, at once in the rows as well', async (t) => {
  const it = await watching();
  it.world.machine.file('/test', { mib: 128 });
  it.world.machine.file('/test', { mib: 64, access: 'mapped', touchedEveryMs: 500 });
  await it.world.periods(8);
  t.equal(sumOf(row(it, '/test', 'cfei')), 128);
  await it.write('/sys/kernel/mm/coldpgs/mode', '1');
  await it.write('/sys/fs/cgroup/test/memory.coldpgs.threshold', '2');
  await it.write('/sys/fs/cgroup/test/memory.coldpgs.size', '1000000000');
  t.equal(sumOf(row(it, '/test', 'cfei')), 0);
});

void t.test('what is used is in no bucket; each kind of memory has its row', async (t) => {
  const it = await watching();
  const { machine } = it.world;
  await it.write(kidledPath('scan_target'), '3');
  machine.anon('/test', { mib: 8, touchedEveryMs: 500 });
  machine.anon('/test', { mib: 16 });
  machine.anon('/test', { mib: 4, shmem: true });
  machine.anon('/test', { mib: 2, mlocked: true });
  machine.file('/test', { mib: 32, access: 'mapped', touchedEveryMs: 500 });
  machine.file('/test', { mib: 64 });
  machine.file('/test', { mib: 1, mlocked: true });
  machine.slab('/test', { mib: 3 });
  await it.world.periods(9);
  const totals = Object.fromEntries(idleRows.map((name) => [name, sumOf(row(it, '/test', name))]));
  t.same(
    Object.entries(totals).filter(([, total]) => total > 0),
    Object.entries({ csei: 20, cfei: 64, csui: 2, cfui: 1, slab: 3 }),
  );
});

void t.test('page cache that is dirty is in the dirty row', async (t) => {
  const it = await watching();
  it.world.machine.file('/test', { mib: 24, dirty: true });
  await it.world.periods(4);
  t.equal(sumOf(row(it, '/test', 'dfei')), 24);
  t.equal(sumOf(row(it, '/test', 'cfei')), 0);
});

void t.test(
  'a write of the period resets everything until a whole round has ended, also with the same value',
  async (t) => {
    const it = await watching();
    it.world.machine.file('/test', { mib: 8 });
    await it.world.periods(4);
    t.equal(header(it, '/test', 'page_scans'), '3');
    t.equal(sumOf(row(it, '/test', 'cfei')), 8);
    await it.world.clock.advance(3000);
    await it.write(kidledPath('scan_period_in_seconds'), '10');
    const seen: [string | undefined, number][] = [];
    for (let round = 0; round < 3; round++) {
      seen.push([header(it, '/test', 'page_scans'), sumOf(row(it, '/test', 'cfei'))]);
      await it.world.periods(1);
    }
    t.same(seen, [
      ['0', 0],
      ['0', 0],
      ['1', 8],
    ]);
  },
);

void t.test('ages are told in the new period once one was written', async (t) => {
  const it = await watching();
  it.world.machine.file('/test', { mib: 8 });
  await it.world.periods(13);
  t.same(row(it, '/test', 'cfei').indexOf(8), 2, 'of age 5 to 14');
  await it.write(kidledPath('scan_period_in_seconds'), '50');
  await it.world.clock.advance(100_000);
  t.same(row(it, '/test', 'cfei').indexOf(8), 1, 'of age 2 to 4');
});

void t.test('a write of use_hierarchy resets as well', async (t) => {
  const it = await watching();
  it.world.machine.file('/test', { mib: 8 });
  await it.world.periods(4);
  await it.write(kidledPath('use_hierarchy'), '0');
  t.equal(sumOf(row(it, '/test', 'cfei')), 0);
});

void t.test(
  'period 0 is off: all zeros, nothing listed, nothing aged; and all is young when it is on again',
  async (t) => {
    const it = await watching();
    it.world.machine.file('/test', { mib: 8 });
    await it.world.periods(4);
    await it.write(kidledPath('scan_period_in_seconds'), '0');
    let listings = 0;
    const { lruGen } = it.world.machine.kernel;
    const read = lruGen.read.bind(lruGen);
    lruGen.read = async () => {
      listings++;
      return read();
    };
    await it.world.clock.advance(7_200_000);
    t.equal(listings, 0);
    t.equal(header(it, '/test', 'scan_period_in_seconds'), '0');
    t.equal(sumOf(row(it, '/test', 'cfei')), 0);
    await it.write(kidledPath('scan_period_in_seconds'), '10');
    await it.world.periods(3);
    t.same([listings >= 3, row(it, '/test', 'cfei').indexOf(8) <= 1], [true, true]);
  },
);

void t.test('buckets reset their memcg alone; the round in progress does not count', async (t) => {
  const it = await watching();
  for (const memcg of ['/one', '/two']) it.world.machine.file(memcg, { mib: 8 });
  await it.world.periods(4);
  await it.write(statsPath('/one'), '2,3');
  t.same(row(it, '/one', 'cfei'), [0, 0]);
  t.equal(sumOf(row(it, '/two', 'cfei')), 8);
  await it.world.periods(1);
  t.same(row(it, '/one', 'cfei'), [0, 0]);
  await it.world.periods(1);
  t.same(row(it, '/one', 'cfei'), [0, 8]);
  t.equal(header(it, '/one', 'page_scans'), '1');
});

void t.test('new children have the buckets that their parent has then', async (t) => {
  const it = await watching();
  it.world.machine.memcg('/parent/early');
  await it.world.periods(1);
  await it.write(statsPath('/parent'), '3,9');
  it.world.machine.memcg('/parent/late/below');
  await it.world.periods(1);
  await it.write(statsPath('/parent'), '4');
  t.equal(header(it, '/parent/early', 'buckets'), '1,2,5,15,30,60,120,240');
  t.equal(header(it, '/parent/late', 'buckets'), '3,9');
  t.equal(header(it, '/parent/late/below', 'buckets'), '3,9');
  it.world.machine.memcg('/parent/read/first');
  t.equal(header(it, '/parent/read/first', 'buckets'), '4', 'before anybody has seen its parent');
});

void t.test('a new memcg at the path of one that is gone starts anew', async (t) => {
  const it = await watching();
  it.world.machine.file('/test', { mib: 8 });
  await it.world.periods(4);
  await it.write(statsPath('/test'), '1,2');
  it.world.machine.rmdir('/test');
  it.world.machine.file('/test', { mib: 4 });
  t.equal(header(it, '/test', 'buckets'), '1,2,5,15,30,60,120,240');
  t.equal(sumOf(row(it, '/test', 'cfei')), 0);
  await it.world.periods(3);
  t.equal(sumOf(row(it, '/test', 'cfei')), 4);
});

/** A parent with 1 MiB, a child with 2 and a grandchild with 4. */
async function family(options?: ServedOptions): Promise<Served> {
  const it = await watching(options);
  const { machine } = it.world;
  machine.file('/a', { mib: 1 });
  machine.file('/a/b', { mib: 2 });
  machine.file('/a/b/c', { mib: 4 });
  return it;
}

void t.test(
  'K-B: a memcg shows its own, the root all; with use_hierarchy everybody shows what is below as well',
  async (t) => {
    const it = await family();
    await it.world.periods(4);
    const sums = (): number[] => ['/', '/a', '/a/b', '/a/b/c'].map((memcg) => sumOf(row(it, memcg, 'cfei')));
    t.same(sums(), [7, 1, 2, 4]);
    await it.write(kidledPath('use_hierarchy'), '1');
    await it.world.periods(2);
    t.same(sums(), [7, 7, 6, 4]);
  },
);

void t.test('K-D: the plain file shows what is below as well, .local the memcg alone; both take buckets', async (t) => {
  const it = await family({ kidledDialect: 'K-D' });
  await it.world.periods(4);
  t.same(
    ['/', '/a', '/a/b'].map((memcg) => sumOf(row(it, memcg, 'cfei'))),
    [7, 7, 6],
  );
  t.same(
    ['/', '/a', '/a/b'].map((memcg) => sumOf(row(it, memcg, 'cfei', '.local'))),
    [0, 1, 2],
  );
  await it.write(statsPath('/a', '.local'), '2,3');
  t.equal(header(it, '/a', 'buckets'), '2,3');
});

void t.test('children with other buckets: each goes to the first column that does not begin below it', async (t) => {
  const it = await family();
  await it.write(kidledPath('use_hierarchy'), '1');
  await it.write(statsPath('/a/b'), '5,10');
  await it.write(statsPath('/a/b/c'), '\n');
  await it.world.periods(8);
  t.same(row(it, '/a/b', 'cfei'), [2, 0]);
  t.same(row(it, '/a', 'cfei'), [0, 0, 3, 0, 0, 0, 0, 0], 'its own 1 MiB is of age 7; 4 MiB are not accounted');
  await it.write(statsPath('/a'), '3');
  await it.world.periods(4);
  t.same(row(it, '/a', 'cfei'), [3], 'what begins later than all columns goes to the last');
});

void t.test('scan_target: what it leaves out shows zeros, and its rounds are not counted', async (t) => {
  const it = await watching();
  it.world.machine.file('/test', { mib: 8 });
  it.world.machine.slab('/test', { mib: 4 });
  const seen = (): (string | undefined | number)[] => [
    header(it, '/test', 'page_scans'),
    header(it, '/test', 'slab_scans'),
    sumOf(row(it, '/test', 'cfei')),
    sumOf(row(it, '/test', 'slab')),
  ];
  await it.world.periods(3);
  t.same(seen(), ['2', '0', 8, 0]);
  await it.write(kidledPath('scan_target'), '2');
  t.same(seen(), ['0', '0', 0, 4]);
  await it.world.periods(2);
  t.same(seen(), ['0', '2', 0, 4]);
  await it.write(kidledPath('scan_target'), '3');
  await it.world.periods(1);
  t.same(seen(), ['1', '3', 8, 4]);
});

void t.test(
  'rows never sum up to more than the memcg has at this moment, whatever left it since the last look',
  async (t) => {
    const it = await watching();
    const { machine } = it.world;
    const file = machine.file('/test', { mib: 64 });
    const anon = machine.anon('/test', { mib: 32 });
    machine.anon('/test', { mib: 1, touchedEveryMs: 500 });
    await it.world.periods(5);
    t.same([sumOf(row(it, '/test', 'cfei')), sumOf(row(it, '/test', 'csei'))], [64, 32]);
    machine.drop(anon);
    t.same([sumOf(row(it, '/test', 'cfei')), sumOf(row(it, '/test', 'csei'))], [64, 1]);
    machine.drop(file);
    t.equal(sumOf(row(it, '/test', 'cfei')), 0);
  },
);

void t.test('a read asks the kernel for no listing, and for no other memcg', async (t) => {
  const it = await family();
  await it.world.periods(4);
  it.world.machine.failNext('readGenerations', new Error('a listing'));
  const asked: string[] = [];
  const { memory } = it.world.machine.kernel;
  const statNow = memory.statNow.bind(memory);
  memory.statNow = (of, scope) => {
    asked.push(of);
    return statNow(of, scope);
  };
  row(it, '/', 'cfei');
  t.same(asked, ['/']);
});

void t.test('a memcg that is gone says so', async (t) => {
  const it = await watching();
  it.world.machine.memcg('/test');
  const file = it.file(statsPath('/test'));
  it.world.machine.rmdir('/test');
  t.throws(() => file.render(), { code: 'MEMCG_GONE', errno: 'ENOENT' });
  t.throws(() => file.apply?.('1', { signal: new AbortController().signal }), { code: 'MEMCG_GONE' });
});

void t.test('a listing that fails leaves what was shown', async (t) => {
  const it = await watching();
  it.world.machine.file('/test', { mib: 8 });
  await it.world.periods(4);
  it.world.machine.failNext('readGenerations', new Error('EIO'), 5);
  await it.world.clock.advance(9_000);
  t.equal(sumOf(row(it, '/test', 'cfei')), 8);
});

void t.test('who waits for news is told of each look, and of each reset', async (t) => {
  const it = await watching();
  it.world.machine.memcg('/app');
  const file = it.file(statsPath('/app'));
  let told = 0;
  const stop = file.onChange?.(() => void told++);
  await it.write(statsPath('/app'), '1,2');
  t.equal(told, 1);
  await it.write(kidledPath('use_hierarchy'), '1');
  t.equal(told, 2);
  stop?.();
  await it.write(statsPath('/app'), '1,3');
  t.equal(told, 2);
});
