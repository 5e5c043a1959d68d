import fc from 'fast-check';
import t from 'tap';
import { ledgerRows } from '../../../src/engine/ledger.js';
import { mib } from '../../../src/kernel/simulated/bytes.js';
import { pages, pageBytes } from '../engine/world.js';
import { globalFolder, served, type Served, type ServedOptions } from './served.js';
import { memcgWrites } from './writes.js';

const at = (name: string, memcg = '/test'): string => `/sys/fs/cgroup${memcg}/memory.coldpgs.${name}`;

/** A served machine with 64 MiB of page cache lying idle in /test, mode at page cache. */
async function lyingIdle(options: ServedOptions = {}): Promise<Served> {
  const it = await served(options);
  it.world.machine.file('/test', { mib: 64 });
  await it.world.periods(6);
  await it.write(`${globalFolder}/mode`, '1');
  return it;
}

void t.test('the files of a memcg: their names, permissions and defaults; the root has them too', async (t) => {
  const it = await served();
  it.world.machine.memcg('/test');
  for (const memcg of ['', '/test']) {
    const files = ['flags', 'threshold', 'size', 'swapin'].map((name) => [
      name,
      it.file(at(name, memcg)).mode.toString(8),
      it.read(at(name, memcg)),
    ]);
    t.same(files, [
      ['flags', '644', '0x0\n'],
      ['threshold', '644', '0\n'],
      ['size', '644', '0\n'],
      ['swapin', '644', 'swapin\n'],
    ]);
    t.equal(it.file(at('stats', memcg)).mode, 0o644);
  }
});

for (const [name, { taken, refused }] of Object.entries(memcgWrites)) {
  void t.test(`${name} takes what the module takes, and reads it back`, async (t) => {
    const it = await served();
    it.world.machine.memcg('/test');
    for (const [written, read] of Object.entries(taken)) {
      await it.write(at(name), written);
      t.equal(it.read(at(name)), `${read}\n`, JSON.stringify(written));
    }
    t.match(it.read(at(name, '')), /^(0x)?0\n$/, 'of this memcg alone');
  });

  void t.test(`${name} refuses everything else with EINVAL, and keeps its value`, async (t) => {
    const it = await served();
    it.world.machine.memcg('/test');
    await it.write(at(name), '11');
    const before = it.read(at(name));
    for (const written of refused) {
      const expected = { code: 'BAD_VALUE', errno: 'EINVAL', message: new RegExp(`memory.coldpgs.${name} takes`) };
      await t.rejects(it.write(at(name), written), expected, JSON.stringify(written));
      t.equal(it.read(at(name)), before);
    }
  });
}

void t.test(
  'threshold and size in either order: the one that completes the pair reclaims, and both read 0 again',
  async (t) => {
    const size = String(mib(8));
    for (const [first, second] of [
      [
        ['threshold', '2'],
        ['size', size],
      ],
      [
        ['size', size],
        ['threshold', '2'],
      ],
    ] as const)
      await t.test(`${first[0]} first`, async (t) => {
        const it = await lyingIdle();
        await it.write(at(first[0]), first[1]);
        t.equal(it.read(at(first[0])), `${first[1]}\n`);
        t.same(it.world.ledger('/test'), {}, 'one alone does nothing');
        await it.write(at(second[0]), second[1]);
        t.same(it.world.ledger('/test'), { 'pagecache dropped': pages(8) });
        t.same([it.read(at('threshold')), it.read(at('size'))], ['0\n', '0\n']);
      });
  },
);

void t.test('0 in either completes no pair', async (t) => {
  const it = await lyingIdle();
  for (const [threshold, size] of [
    ['2', '0'],
    ['0', '4096'],
  ] as const) {
    await it.write(at('threshold'), threshold);
    await it.write(at('size'), size);
    t.equal(it.read(at('threshold')), `${threshold}\n`);
  }
  t.same(it.world.ledger('/test'), {});
});

void t.test('the pair is taken when its run starts: what is written meanwhile is a pair of its own', async (t) => {
  const it = await lyingIdle({ evictionMsPerMib: 50 });
  await it.write(at('threshold'), '2');
  const run = it.file(at('size')).apply?.(String(mib(32)), { signal: new AbortController().signal });
  t.same([it.read(at('threshold')), it.read(at('size'))], ['0\n', '0\n']);
  await it.world.clock.advance(500);
  await it.write(at('threshold'), '7');
  await it.world.clock.finish(Promise.resolve(run));
  t.equal(it.read(at('threshold')), '7\n');
});

void t.test('after a run that was cancelled the pair is 0 as well', async (t) => {
  const it = await lyingIdle();
  await it.write(at('threshold'), '2');
  await t.rejects(it.write(at('size'), '4096', AbortSignal.abort()), { code: 'CANCELLED', errno: 'EINTR' });
  t.same([it.read(at('threshold')), it.read(at('size'))], ['0\n', '0\n']);
});

void t.test('size counts bytes, in the doc dialect pages', async (t) => {
  for (const [dialect, expected] of [
    ['2.5', 128],
    ['doc', pages(64)],
  ] as const) {
    const it = await lyingIdle({ dialect });
    await it.write(at('threshold'), '2');
    await it.write(at('size'), String(128 * pageBytes));
    t.equal(it.world.ledger('/test')['pagecache dropped'], expected, dialect);
  }
});

void t.test(
  'the coldness in the flags, or the threshold, tells the aging clock what the memcg is meant for',
  async (t) => {
    for (const [name, text] of [
      ['flags', '6'],
      ['threshold', '6'],
    ] as const) {
      const it = await served();
      it.world.machine.anon('/test', { mib: 1, touchedEveryMs: 500 });
      await it.write(at(name), text);
      let agings = 0;
      it.world.machine.hooks.beforeAging = ({ path }) => void (agings += path === '/test' ? 1 : 0);
      await it.world.periods(9);
      t.equal(agings, 3, `every third period by ${name}`);
    }
  },
);

void t.test('stats of dialect 2.5: twelve rows of its own and twelve in total, in kB', async (t) => {
  const it = await served();
  for (const [index, memcg] of ['/test', '/test/below'].entries()) {
    it.world.machine.memcg(memcg);
    const bytes = Object.fromEntries(
      ledgerRows.map((row, at) => [row, (at + 1) * 1024 * (index === 0 ? 1 : 1000) + 1023]),
    );
    it.world.engine.ledger.add(it.world.at(memcg), bytes);
  }
  await it.write(`${globalFolder}/hierarchy`, '1');
  t.equal(
    it.read(at('stats')),
    `pagecache migrate in            :                    1 kB
pagecache migrate out           :                    2 kB
pagecache dropped               :                    3 kB
anon migrate in                 :                    4 kB
anon zswap in                   :                    5 kB
anon swap in                    :                    6 kB
anon migrate out                :                    7 kB
anon zswap out                  :                    8 kB
anon swap out                   :                    9 kB
slab drop                       :                   10 kB
mlock dropped                   :                   11 kB
mlock refault                   :                   12 kB
Total pagecache migrate in      :                 1002 kB
Total pagecache migrate out     :                 2003 kB
Total pagecache dropped         :                 3004 kB
Total anon migrate in           :                 4005 kB
Total anon zswap in             :                 5006 kB
Total anon swap in              :                 6007 kB
Total anon migrate out          :                 7008 kB
Total anon zswap out            :                 8009 kB
Total anon swap out             :                 9010 kB
Total slab drop                 :                10011 kB
Total mlock dropped             :                11012 kB
Total mlock refault             :                12013 kB
`,
  );
  await it.write(`${globalFolder}/hierarchy`, '0');
  const [own, total] = [it.read(at('stats')).split('\n').slice(0, 12), it.read(at('stats')).split('\n').slice(12, 24)];
  t.same(
    total.map((row) => row.slice(-23)),
    own.map((row) => row.slice(-23)),
    'without hierarchy the totals are its own',
  );
});

void t.test('stats of the doc dialect: nine rows in pages', async (t) => {
  const it = await served({ dialect: 'doc' });
  it.world.machine.memcg('/test');
  it.world.engine.ledger.add(it.world.at('/test'), { 'pagecache dropped': 5 * pageBytes + 4095, 'slab drop': 4096 });
  t.equal(
    it.read(at('stats')),
    `pagecache migrate in    : 0
pagecache migrate out   : 0
pagecache dropped       : 5
anon migrate in         : 0
anon zswap in           : 0
anon swap in            : 0
anon migrate out        : 0
anon zswap out          : 0
anon swap out           : 0
`,
  );
});

void t.test(
  'only a zero, in any base, resets stats: of the memcg, with hierarchy of its descendants too',
  async (t) => {
    const it = await served();
    it.world.machine.memcg('/test/below');
    const dropped = (memcg: string): number | undefined => it.world.ledger(memcg)['pagecache dropped'];
    const fill = (): void => {
      for (const memcg of ['/test', '/test/below'])
        it.world.engine.ledger.add(it.world.at(memcg), { 'pagecache dropped': pageBytes });
    };
    fill();
    for (const wrong of ['1', '0x1', '-0', '', '\n', 'zero', '0 0', '08', '0b0'])
      await t.rejects(it.write(at('stats'), wrong), { code: 'BAD_VALUE', errno: 'EINVAL' }, JSON.stringify(wrong));
    t.equal(dropped('/test'), 1);
    for (const zero of ['0', '0\n', ' 0x0 \n\n', '00', '+0', '0X00']) {
      await it.write(at('stats'), zero);
      t.equal(dropped('/test'), undefined, JSON.stringify(zero));
      t.not(dropped('/test/below'), undefined);
      fill();
    }
    await it.write(`${globalFolder}/hierarchy`, '1');
    await it.write(at('stats'), '0');
    t.same([dropped('/test'), dropped('/test/below')], [undefined, undefined]);
  },
);

void t.test(
  'swapin takes exactly its word, without stripping, and brings back the memcg and what is below',
  async (t) => {
    const it = await served();
    for (const memcg of ['/test', '/test/below', '/other']) it.world.machine.anon(memcg, { mib: 8 });
    await it.world.periods(6);
    await it.write(`${globalFolder}/mode`, '2');
    await it.write(`${globalFolder}/threshold`, '2');
    const used = (memcg: string) => it.world.machine.kernel.memory.swapUsed(memcg);
    for (const wrong of ['swapin', ' swapin\n', 'swapin\n\n', 'Swapin\n', '1', ''])
      await t.rejects(it.write(at('swapin'), wrong), { code: 'BAD_VALUE', errno: 'EINVAL' }, JSON.stringify(wrong));
    t.equal(await used('/test'), mib(16));
    await it.write(at('swapin'), 'swapin\n');
    t.same([await used('/test'), await used('/other')], [0, mib(8)]);
  },
);

void t.test('the strict flags gate is opened by bits 32 to 34 of the flags', async (t) => {
  const it = await lyingIdle({ settings: { flagsGate: 'strict' } });
  const reclaim = async (): Promise<void> => {
    await it.write(at('threshold'), '2');
    await it.write(at('size'), String(mib(8)));
  };
  await reclaim();
  t.same(it.world.ledger('/test'), {});
  t.match(it.world.problems(), [/flags gate is strict/]);
  await it.write(at('flags'), '0x100000000');
  await reclaim();
  t.same(it.world.ledger('/test'), { 'pagecache dropped': pages(8) });
});

void t.test('any bytes to any file: either taken, or BAD_VALUE and nothing changed', async (t) => {
  const it = await served();
  it.world.machine.memcg('/test');
  const names = [...Object.keys(memcgWrites), 'stats', 'swapin'];
  const all = (): string => names.map((name) => it.read(at(name))).join('');
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 12 }).map((some) => Buffer.from(some).toString('latin1')),
    fc
      .array(fc.constantFrom('0', '1', 'f', 'x', '+', '-', ' ', '\n', '\0', '\xa0'), { maxLength: 5 })
      .map((some) => some.join('')),
  );
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), bytes, async (name, text) => {
      const before = all();
      try {
        await it.write(at(name), text);
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
