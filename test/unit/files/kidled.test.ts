import fc from 'fast-check';
import t from 'tap';
import { idleRows } from '../../../src/engine/histogram.js';
import { kidledDialects } from '../../../src/files/kidled-dialect.js';
import { mib } from '../../../src/kernel/simulated/bytes.js';
import { kidledFolder, served, type Served, type ServedOptions } from './served.js';
import { bucketWrites, kidledWrites } from './writes.js';

const path = (name: string): string => `${kidledFolder}/${name}`;
const statsPath = (memcg: string, local = ''): string =>
  `/sys/fs/cgroup${memcg === '/' ? '' : memcg}/memory.idle_page_stats${local}`;

/** Memory on a machine that is being watched; a period is 10 s. */
async function watching(options: ServedOptions = {}): Promise<Served> {
  return served({ newCacheIsOld: true, ...options });
}

/** A row in MiB. */
function row(it: Served, memcg: string, name: string, local = ''): number[] {
  const line = it
    .read(statsPath(memcg, local))
    .split('\n')
    .find((one) => one.startsWith(`  ${name} `));
  return (line ?? '')
    .trim()
    .split(/ +/)
    .slice(1)
    .map((bytes) => Number(bytes) / mib(1));
}

function header(it: Served, memcg: string, name: string): string | undefined {
  return new RegExp(`^# ${name}: (.*)$`, 'm').exec(it.read(statsPath(memcg)))?.[1];
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0);

void t.test('the files of /sys/kernel/mm/kidled: their names, permissions and defaults', async (t) => {
  const it = await served();
  const files = it
    .directory(kidledFolder)
    .names()
    .map((name) => [name, it.file(path(name)).mode.toString(8), it.read(path(name))]);
  t.same(files, [
    ['scan_period_in_seconds', '644', '10\n'],
    ['use_hierarchy', '644', '0\n'],
    ['scan_target', '644', '1\n'],
  ]);
  t.equal(it.file(statsPath('/')).mode, 0o644);
});

for (const [name, { taken, refused }] of Object.entries(kidledWrites)) {
  void t.test(`${name} takes what kidled takes, and reads it back`, async (t) => {
    const it = await served();
    for (const [written, read] of Object.entries(taken)) {
      await it.write(path(name), written);
      t.equal(it.read(path(name)), `${read}\n`, JSON.stringify(written));
    }
  });

  void t.test(`${name} refuses everything else with EINVAL, and keeps its value`, async (t) => {
    const it = await served();
    const before = it.read(path(name));
    for (const written of refused) {
      const expected = { code: 'BAD_VALUE', errno: 'EINVAL', message: new RegExp(`kidled/${name} takes`) };
      await t.rejects(it.write(path(name), written), expected, JSON.stringify(written));
      t.equal(it.read(path(name)), before);
    }
  });
}

void t.test('buckets are taken as kidled takes them', async (t) => {
  const it = await served();
  for (const [written, buckets] of Object.entries(bucketWrites.taken)) {
    await it.write(statsPath('/'), written);
    t.equal(header(it, '/', 'buckets'), buckets, JSON.stringify(written));
  }
});

void t.test('and refused as kidled refuses them, E2BIG for a ninth; then nothing has changed', async (t) => {
  const it = await served();
  await it.write(statsPath('/'), '7,8');
  for (const [written, errno] of Object.entries(bucketWrites.refused)) {
    await t.rejects(it.write(statsPath('/'), written), { code: 'BAD_VALUE', errno }, JSON.stringify(written));
    t.equal(header(it, '/', 'buckets'), '7,8');
  }
});

void t.test('any bytes to any file: either taken, or BAD_VALUE and nothing changed', async (t) => {
  const it = await served();
  const files = [...Object.keys(kidledWrites).map(path), statsPath('/')];
  const all = (): string => files.map((file) => it.read(file)).join('');
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 12 }).map((some) => Buffer.from(some).toString('latin1')),
    fc
      .array(fc.constantFrom('1', '2', '30', ',', ' ', '+', '-', '\n', '\0', '\xa0', '\t'), { maxLength: 20 })
      .map((some) => some.join('')),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...files), bytes, async (file, text) => {
      const before = all();
      try {
        await it.write(file, text);
      } catch (failure) {
        t.match(failure, { code: 'BAD_VALUE', errno: /^(EINVAL|E2BIG)$/ });
        t.equal(all(), before);
      }
    }),
  );
});

void t.test('the text is kidled’s to the byte', async (t) => {
  const it = await watching();
  it.world.machine.file('/test', { mib: 64 });
  await it.world.periods(2);
  const zeros = '              0'.repeat(7);
  const expected = [
    '# version: 1.0',
    '# page_scans: 1',
    '# slab_scans: 0',
    '# scan_period_in_seconds: 10',
    '# use_hierarchy: 0',
    '# buckets: 1,2,5,15,30,60,120,240',
    '#',
    '#   _-----=> clean/dirty',
    '#  / _----=> swap/file',
    '# | / _---=> evict/unevict',
    '# || / _--=> inactive/active',
    '# ||| / _-=> slab',
    '# |||| /',
    '# |||||             [1,2)          [2,5)         [5,15)        [15,30)        [30,60)       [60,120)      [120,240)     [240,+inf)',
    ...idleRows.map((name) => `  ${name}    ${name === 'cfei' ? '       67108864' : '              0'}${zeros}`),
  ];
  t.same(it.read(statsPath('/test')).split('\n'), [...expected, '']);
  t.equal(expected.length, 31, 'the lines that koordlet counts');
});

void t.test('each dialect has its header, rows and files', async (t) => {
  const shapes = Object.keys(kidledDialects).map(async (name) => {
    const kidledDialect = name as keyof typeof kidledDialects;
    const it = await served({ kidledDialect });
    const text = it.read(statsPath('/'));
    const heads = [...text.matchAll(/^# (\w+):/gm)].map(([, head]) => head).join(' ');
    const files = it.directory(kidledFolder).names().join(' ');
    const local = it.find(statsPath('/', '.local')) !== undefined;
    return [name, text.split('\n').length - 1, heads, files, local];
  });
  const [all, some] = [
    'scan_period_in_seconds use_hierarchy scan_target',
    'version page_scans slab_scans scan_period_in_seconds',
  ];
  t.same(await Promise.all(shapes), [
    [
      'K-A',
      28,
      'version scans scan_period_in_seconds use_hierarchy buckets',
      'scan_period_in_seconds use_hierarchy',
      false,
    ],
    ['K-B', 31, `${some} use_hierarchy buckets`, all, false],
    ['K-C', 27, 'version scans scan_period_in_seconds buckets', 'scan_period_in_seconds', true],
    ['K-D', 30, `${some} buckets`, 'scan_period_in_seconds scan_target', true],
    ["K-D'", 29, 'version scans scan_period_in_seconds buckets', 'scan_period_in_seconds scan_target', true],
  ]);
});

void t.test('without buckets accounting is off, and the text ends there', async (t) => {
  const it = await served();
  await it.write(statsPath('/'), '\n');
  t.equal(
    it.read(statsPath('/')),
    '# version: 1.0\n# page_scans: 0\n# slab_scans: 0\n# scan_period_in_seconds: 10\n# use_hierarchy: 0\n# buckets: no valid bucket available\n',
  );
});

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
  await it.write(path('scan_target'), '3');
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
    await it.write(path('scan_period_in_seconds'), '10');
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
  await it.write(path('scan_period_in_seconds'), '50');
  await it.world.clock.advance(100_000);
  t.same(row(it, '/test', 'cfei').indexOf(8), 1, 'of age 2 to 4');
});

void t.test('a write of use_hierarchy resets as well', async (t) => {
  const it = await watching();
  it.world.machine.file('/test', { mib: 8 });
  await it.world.periods(4);
  await it.write(path('use_hierarchy'), '0');
  t.equal(sumOf(row(it, '/test', 'cfei')), 0);
});

void t.test(
  'period 0 is off: all zeros, nothing listed, nothing aged; and all is young when it is on again',
  async (t) => {
    const it = await watching();
    it.world.machine.file('/test', { mib: 8 });
    await it.world.periods(4);
    await it.write(path('scan_period_in_seconds'), '0');
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
    await it.write(path('scan_period_in_seconds'), '10');
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
    await it.write(path('use_hierarchy'), '1');
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
  await it.write(path('use_hierarchy'), '1');
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
  await it.write(path('scan_target'), '2');
  t.same(seen(), ['0', '0', 0, 4]);
  await it.world.periods(2);
  t.same(seen(), ['0', '2', 0, 4]);
  await it.write(path('scan_target'), '3');
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
  await it.write(path('use_hierarchy'), '1');
  t.equal(told, 2);
  stop?.();
  await it.write(statsPath('/app'), '1,3');
  t.equal(told, 2);
});
