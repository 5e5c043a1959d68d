import fc from 'fast-check';
import t from 'tap';
import { idleRows } from '../../../src/engine/histogram.js';
import { kidledDialects } from '../../../src/files/kidled-dialect.js';
import { kidledFolder, served } from './served.js';
import { watching, header, statsPath, kidledPath } from './watching.js';
import { bucketWrites, kidledWrites } from './writes.js';

void t.test('the files of /sys/kernel/mm/kidled: their names, permissions and defaults', async (t) => {
  const it = await served();
  const files = it
    .directory(kidledFolder)
    .names()
    .map((name) => [name, it.file(kidledPath(name)).mode.toString(8), it.read(kidledPath(name))]);
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
      await it.write(kidledPath(name), written);
      t.equal(it.read(kidledPath(name)), `${read}\n`, JSON.stringify(written));
    }
  });

  void t.test(`${name} refuses everything else with EINVAL, and keeps its value`, async (t) => {
    const it = await served();
    const before = it.read(kidledPath(name));
    for (const written of refused) {
      const expected = { code: 'BAD_VALUE', errno: 'EINVAL', message: new RegExp(`kidled/${name} takes`) };
      await t.rejects(it.write(kidledPath(name), written), expected, JSON.stringify(written));
      t.equal(it.read(kidledPath(name)), before);
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
  const files = [...Object.keys(kidledWrites).map(kidledPath), statsPath('/')];
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
