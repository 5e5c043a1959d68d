import fc from 'fast-check';
import t from 'tap';
import { pages } from '../engine/world.js';
import { globalFolder, served, type Served } from './served.js';
import { globalWrites } from './writes.js';

const path = (name: string): string => `${globalFolder}/${name}`;

void t.test('the files of /sys/kernel/mm/coldpgs: their names, permissions and defaults', async (t) => {
  const it = await served();
  const files = it
    .directory(globalFolder)
    .names()
    .map((name) => {
      const file = it.file(path(name));
      return [name, file.mode.toString(8), 'apply' in file, file.render()];
    });
  t.same(files, [
    ['version', '400', false, '0x20500\n'],
    ['flags', '600', true, '0x0\n'],
    ['batch', '600', true, '32\n'],
    ['hierarchy', '600', true, '0\n'],
    ['mode', '600', true, '0x0\n'],
    ['threshold', '600', true, '0\n'],
    ['threshold_nonrot', '600', true, '0\n'],
    ['compact', '600', true, 'node 0: 0 0 0 0 0 0 0 0 0 0 64\n'],
    ['swapin', '600', true, 'swapin\n'],
  ]);
});

for (const [name, { taken, refused }] of Object.entries(globalWrites)) {
  void t.test(`${name} takes what the module takes, and reads it back`, async (t) => {
    const it = await served();
    for (const [written, read] of Object.entries(taken)) {
      await it.write(path(name), written);
      t.equal(it.read(path(name)), `${read}\n`, JSON.stringify(written));
    }
  });

  void t.test(`${name} refuses everything else with EINVAL, and keeps its value`, async (t) => {
    const it = await served();
    const [good = ''] = Object.keys(taken).slice(-1);
    await it.write(path(name), good);
    const before = it.read(path(name));
    for (const written of refused) {
      const expected = { code: 'BAD_VALUE', errno: 'EINVAL', message: new RegExp(`${name} takes`) };
      await t.rejects(it.write(path(name), written), expected, JSON.stringify(written));
      t.equal(it.read(path(name)), before);
    }
  });
}

void t.test('any bytes to any file: either taken, or BAD_VALUE and nothing changed', async (t) => {
  const it = await served();
  const all = (): string =>
    Object.keys(globalWrites)
      .map((name) => it.read(path(name)))
      .join('');
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 12 }).map((some) => Buffer.from(some).toString('latin1')),
    fc
      .array(fc.constantFrom('0', '1', 'f', 'x', '+', '-', ' ', '\n', '\0'), { maxLength: 5 })
      .map((some) => some.join('')),
  );
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...Object.keys(globalWrites), 'swapin'), bytes, async (name, text) => {
      const before = all();
      try {
        await it.write(path(name), text);
        taken++;
      } catch (failure) {
        const { code, errno } = failure as { code?: string; errno?: string };
        if (code !== 'BAD_VALUE' || errno !== 'EINVAL') throw failure;
        if (all() !== before) throw new Error('refused, yet something was changed', { cause: failure });
      }
    }),
    { numRuns: 1000 },
  );
  t.ok(taken > 20, `${taken} were taken`);
});

/** A machine with 16 MiB of anon and of page cache lying idle in each of two memcgs. */
async function lyingIdle(): Promise<Served> {
  const it = await served();
  for (const memcg of ['/a', '/a/b']) {
    it.world.machine.anon(memcg, { mib: 16 });
    it.world.machine.file(memcg, { mib: 16 });
  }
  await it.world.periods(6);
  return it;
}

void t.test('a threshold reclaims every memcg by the mode, and stays as it was written', async (t) => {
  const it = await lyingIdle();
  await it.write(path('mode'), '1\n');
  await it.write(path('threshold'), '2\n');
  for (const memcg of ['/a', '/a/b']) t.same(it.world.ledger(memcg), { 'pagecache dropped': pages(16) });
  t.equal(it.read(path('threshold')), '2\n');
});

void t.test('a threshold that is refused reclaims nothing', async (t) => {
  const it = await lyingIdle();
  await it.write(path('mode'), '3');
  await t.rejects(it.write(path('threshold'), '2 '), { code: 'BAD_VALUE' });
  await t.rejects(it.write(path('threshold'), '0'), { code: 'BAD_VALUE', message: /from 1 to 255/ });
  t.same([it.world.ledger('/a'), it.world.ledger('/a/b')], [{}, {}]);
});

void t.test(
  'compact takes an order or now, shows free blocks by node and order, and refuses everything else',
  async (t) => {
    const it = await served();
    it.world.machine.fragmentation.blocks = [0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0];
    t.equal(it.read(path('compact')), 'node 0: 0 0 0 0 0 0 0 0 3 0 0\n');
    await it.write(path('compact'), '9\n');
    t.equal(it.read(path('compact')), 'node 0: 0 0 0 0 0 0 0 0 1 1 0\n');
    await it.write(path('compact'), 'now\n');
    t.same(it.world.machine.compactedNodes, [0, undefined]);
    for (const wrong of ['11', '-1', 'NOW', 'now\n\n', ' 9', '0x9', ''])
      await t.rejects(it.write(path('compact'), wrong), { code: 'BAD_VALUE', errno: 'EINVAL' }, JSON.stringify(wrong));
    t.equal(it.world.machine.compactions, 2);
  },
);

void t.test('swapin takes exactly its word and brings every memcg’s memory back', async (t) => {
  const it = await lyingIdle();
  await it.write(path('mode'), '2');
  await it.write(path('threshold'), '2');
  const used = () => it.world.machine.kernel.memory.swapUsed('/');
  t.equal(await used(), pages(32) * 4096);
  for (const wrong of ['swapin', 'swapin\n\n', 'SWAPIN\n', ' swapin\n', 'swapin \n', 'swapin\n\0', '1\n', ''])
    await t.rejects(it.write(path('swapin'), wrong), { code: 'BAD_VALUE', errno: 'EINVAL' }, JSON.stringify(wrong));
  t.equal(await used(), pages(32) * 4096);
  await it.write(path('swapin'), 'swapin\n');
  t.equal(await used(), 0);
});

void t.test('a failure while memory comes back is EIO', async (t) => {
  const it = await lyingIdle();
  await it.write(path('mode'), '2');
  await it.write(path('threshold'), '2');
  it.world.machine.failNext('populate', new Error('poisoned'));
  await t.rejects(it.write(path('swapin'), 'swapin\n'), { code: 'SWAPIN_FAILED', errno: 'EIO' });
});

void t.test('cancelled writes are EINTR', async (t) => {
  const it = await lyingIdle();
  await it.write(path('mode'), '3');
  await t.rejects(it.write(path('threshold'), '2', AbortSignal.abort()), { code: 'CANCELLED', errno: 'EINTR' });
  t.equal(it.read(path('threshold')), '2\n', 'the value was stored before the run, as in the module');
});
