import { readFileSync } from 'node:fs';
import t from 'tap';
import type { AgingTarget } from '../../../../src/kernel/kernel.js';
import { LinuxLruGen } from '../../../../src/kernel/linux/lru-gen.js';
import { captured } from '../fixtures.js';
import { LruGenModel, systemError } from './lru-gen-model.js';
import { machine, memcg } from './machine.js';

/** lru_gen over a model of its file; every memcg has inode 1000 and up, and those in `gone` have no directory. */
function lruGenOver(model: LruGenModel, gone: readonly string[] = []): LinuxLruGen {
  const has = (path: string): boolean => !gone.includes(path);
  const at = (path: string): { path: string; inode: bigint } | undefined =>
    has(path) ? { path, inode: 1000n + BigInt(path.length) } : undefined;
  return new LinuxLruGen(model, { at, has }, { anonOnlyEviction: false, pathOf: (path) => path });
}

function targetOf(id: string, path: string, maxSeq = 3n): AgingTarget {
  return { id, path, node: 0, maxSeq };
}

const threeMemcgs = [
  { id: '1', path: '/' },
  { id: '2', path: '/a' },
  { id: '3', path: '/b' },
];

void t.test('reads what the kernel lists', async (t) => {
  const { kernel } = machine(t, { debugfs: { lru_gen: captured('kernel-6.12', 'lru_gen') } });
  t.strictSame(
    (await kernel.lruGen.read()).map(({ id, path }) => [id, path]),
    [
      ['1', '/'],
      ['2', '/fixture'],
      ['3', '/fixture/swapped out'],
      ['0', '/fixture/removed'],
    ],
  );
  t.match(await kernel.lruGen.readOne('/fixture'), { id: '2', nodes: [{ node: 0 }] });
  t.equal(await kernel.lruGen.readOne('/nobody'), undefined);
});

void t.test('names memcgs as the mounted part of the hierarchy does, and leaves out those beyond it', async (t) => {
  const { kernel } = machine(t, {
    mountinfo: '31 23 0:28 /fixture @CGROUP@ rw - cgroup2 cgroup2 rw\n',
    debugfs: { lru_gen: captured('kernel-7.2', 'lru_gen') },
  });
  t.strictSame(
    (await kernel.lruGen.read()).map(({ id, path }) => [id, path]),
    [
      ['28', '/'],
      ['160', '/swapped out'],
    ],
  );
});

void t.test('a removed memcg that is listed before a new one of the same path counts as offline', async (t) => {
  const lruGen = lruGenOver(
    new LruGenModel([
      { id: '4', path: '/z' },
      { id: '5', path: '/z' },
    ]),
  );
  t.strictSame(
    (await lruGen.read()).map(({ id }) => id),
    ['0', '5'],
  );
  t.match(await lruGen.readOne('/z'), { id: '5' });
});

void t.test('ages are those at the end of a listing that takes its time', async (t) => {
  const text = (id: number) => `memcg ${id} /${id}\n node 0\n 1 500 1 1\n 2 100 1 1\n`;
  async function* pieces(): AsyncGenerator<string> {
    yield text(1) + text(2);
    await new Promise((resume) => setTimeout(resume, 60));
    yield text(3);
  }
  const file = { pieces, write: () => Promise.resolve() };
  const surroundings = { anonOnlyEviction: false, pathOf: (path: string) => path };
  const listed = await new LinuxLruGen(file, { at: () => undefined, has: () => false }, surroundings).read();
  const ages = listed.map(({ nodes }) => nodes[0]?.generations.map(({ ageMs }) => ageMs) ?? []);
  const [[first = 0, young = 0] = [], , [last = 0] = []] = ages;
  t.ok(first - last >= 50, `read ${first - last} ms before the end`);
  t.equal(first - young, 400);
});

void t.test('reading one memcg goes no further where ids are inodes', async (t) => {
  const model = new LruGenModel([
    { id: '1001', path: '/' },
    { id: '1002', path: '/a' },
    { id: '1003', path: '/bc' },
  ]);
  t.match(await lruGenOver(model).readOne('/a'), { id: '1002' });
  t.equal(model.piecesRead, 3, 'up to the header that ends it');
  t.match(await lruGenOver(model).readOne('/'), { id: '1001' });
  t.equal(model.piecesRead, 3 + 2);
});

void t.test('ages 64 targets with one write', async (t) => {
  const memcgs = Array.from({ length: 65 }, (_, index) => ({ id: `${index + 1}`, path: `/${index}` }));
  const model = new LruGenModel(memcgs);
  const refusals = await lruGenOver(model).age(memcgs.map(({ id, path }) => targetOf(id, path)));
  t.strictSame(refusals, []);
  t.strictSame(
    model.writes.map((write) => write.split('\n').length - 1),
    [64, 1],
  );
  t.equal(model.writes[1], '+ 65 0 3 1 1\n');
  t.ok(Object.values(model.maxSeqs()).every((maxSeq) => maxSeq === 4n));
});

for (const ageStale of [false, true]) {
  void t.test(
    `a refusal leaves every other target aged exactly once (${ageStale ? '6.14 and later' : '6.13 and before'})`,
    async (t) => {
      const model = new LruGenModel(threeMemcgs, ageStale);
      model.refuse('2');
      const refused = targetOf('2', '/a');
      const refusals = await lruGenOver(model).age([targetOf('1', '/'), refused, targetOf('3', '/b')]);
      t.strictSame(
        refusals.map(({ target }) => target),
        [refused],
      );
      t.match(refusals[0]?.error, { code: 'KERNEL_REFUSED', errno: 'EINVAL', cause: { code: 'EINVAL' } });
      t.strictSame(model.maxSeqs(), { '/': 4n, '/a': 3n, '/b': 4n });
    },
  );
}

void t.test('a target whose memcg is removed is refused, and its id given to no command', async (t) => {
  const model = new LruGenModel(threeMemcgs);
  const refusals = await lruGenOver(model, ['/a']).age([targetOf('2', '/a'), targetOf('3', '/b')]);
  t.match(refusals, [{ target: { path: '/a' }, error: { code: 'MEMCG_GONE' } }]);
  t.strictSame(model.maxSeqs(), { '/': 3n, '/a': 3n, '/b': 4n }, 'the id may be that of another memcg by now');
});

void t.test('aging nothing writes nothing', async (t) => {
  const model = new LruGenModel(threeMemcgs);
  t.strictSame(await lruGenOver(model).age([]), []);
  t.strictSame(
    await lruGenOver(model, ['/a'])
      .age([targetOf('2', '/a')])
      .then((refusals) => refusals.length),
    1,
  );
  t.strictSame(model.writes, []);
});

void t.test('evicts with one command', async (t) => {
  const model = new LruGenModel(threeMemcgs);
  await lruGenOver(model).evict({ id: '2', path: '/a', node: 0, minSeq: 1n, swappiness: 'anon', pages: 4096 });
  t.strictSame(model.writes, ['- 2 0 1 200 4096\n']);
});

void t.test(
  'a generation that may not be evicted is KERNEL_REFUSED with EINVAL, for the caller to read again',
  async (t) => {
    const evicting = lruGenOver(new LruGenModel(threeMemcgs)).evict({
      id: '2',
      path: '/a',
      node: 0,
      minSeq: 2n,
      swappiness: 'file',
      pages: 64,
    });
    await t.rejects(evicting, {
      code: 'KERNEL_REFUSED',
      errno: 'EINVAL',
      cause: { code: 'EINVAL' },
      message: /"- 2 0 2 0 64" for \/a/,
    });
  },
);

void t.test('evicts nothing by the id of a removed memcg', async (t) => {
  const model = new LruGenModel(threeMemcgs);
  const command = { id: '2', path: '/a', node: 0, minSeq: 1n, swappiness: 'file', pages: 64 } as const;
  await t.rejects(lruGenOver(model, ['/a']).evict(command), { code: 'MEMCG_GONE', errno: 'ENOENT' });
  t.strictSame(model.writes, []);
});

void t.test('says so when kernel lockdown is why', async (t) => {
  const locked = {
    pieces: () => {
      throw systemError('EPERM');
    },
    write: () => Promise.reject(systemError('EPERM')),
  };
  const at = (path: string): { path: string; inode: bigint } => ({ path, inode: 5n });
  const lruGen = new LinuxLruGen(locked, { at, has: () => true }, { anonOnlyEviction: true, pathOf: (path) => path });
  const command = { id: '2', path: '/a', node: 0, minSeq: 1n, swappiness: 'file', pages: 64 } as const;
  const refused = { code: 'KERNEL_REFUSED', errno: 'EPERM', message: /lockdown/ };
  await t.rejects(lruGen.evict(command), refused);
  await t.rejects(lruGen.read(), refused);
  await t.rejects(lruGen.age([targetOf('2', '/a')]), refused);
});

void t.test('commands reach the file', async (t) => {
  const commandsWith = async (release: string): Promise<string> => {
    const { kernel, file } = machine(t, { release, cgroup: memcg({ a: memcg() }), debugfs: { lru_gen: '' } });
    await kernel.lruGen.evict({ id: '2', path: '/a', node: 0, minSeq: 1n, swappiness: 'anon', pages: 64 });
    return readFileSync(file('debugfs/lru_gen'), 'latin1');
  };
  t.equal(await commandsWith('6.12.1'), '- 2 0 1 200 64\n');
  t.equal(await commandsWith('6.16.0'), '- 2 0 1 max 64\n');
});
