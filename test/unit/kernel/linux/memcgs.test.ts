import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { machine, memcg } from './machine.js';

void t.test('names a memcg by path and inode', async (t) => {
  const { kernel, file } = machine(t, { cgroup: memcg({ a: memcg({ b: memcg() }) }) });
  t.strictSame(kernel.memcgs.at('/a/b'), { path: '/a/b', inode: statSync(file('cgroup/a/b'), { bigint: true }).ino });
  t.strictSame(kernel.memcgs.at('/'), { path: '/', inode: statSync(file('cgroup'), { bigint: true }).ino });
  t.equal(kernel.memcgs.at('/a/c'), undefined);
});

void t.test('a removed memcg is gone', async (t) => {
  const { kernel, file } = machine(t, { cgroup: memcg({ a: memcg() }) });
  rmSync(file('cgroup/a'), { recursive: true });
  t.equal(kernel.memcgs.at('/a'), undefined);
  t.strictSame(kernel.memcgs.childNames('/a'), []);
  await t.rejects(kernel.memcgs.tasks('/a'), { code: 'MEMCG_GONE', errno: 'ENOENT' });
});

void t.test('a cgroup without the memory controller is no memcg', async (t) => {
  const withoutController = { 'cgroup.procs': '', 'cgroup.subtree_control': '\n' };
  const { kernel } = machine(t, {
    cgroup: memcg({
      a: memcg({ 'cgroup.subtree_control': 'pids\n', b: withoutController }),
      threads: withoutController,
    }),
  });
  t.equal(kernel.memcgs.at('/a/b'), undefined);
  t.equal(kernel.memcgs.at('/threads'), undefined);
  t.strictSame(kernel.memcgs.childNames('/a'), []);
  t.strictSame(
    (await kernel.memcgs.list()).map(({ path }) => path),
    ['/', '/a'],
  );
});

void t.test('no path leads out of the hierarchy', async (t) => {
  const { kernel, file, write } = machine(t, { cgroup: memcg({ a: memcg() }) });
  write('memory.stat', '');
  mkdirSync(file('cgroup-other/a'), { recursive: true });
  write('cgroup-other/a/memory.stat', '');
  const outside = [
    '..',
    '/..',
    '-other/a',
    '/a/..',
    '/a/../..',
    '',
    'a',
    '//',
    '/a/',
    '/a//',
    '/.',
    '/a/.',
    '/a\0',
    '/a\u012f..\u012f..',
  ];
  for (const path of outside) {
    t.equal(kernel.memcgs.at(path), undefined, path);
    t.strictSame(kernel.memcgs.childNames(path), [], path);
    await t.rejects(kernel.memory.stat(path), { code: 'MEMCG_GONE' }, path);
    t.throws(() => kernel.settings.memcgFile(path, 'memory.stat'), { code: 'MEMCG_GONE' }, path);
  }
  t.equal(kernel.memcgs.at(`/${'n'.repeat(300)}`), undefined, 'a name longer than the file system allows');
});

void t.test('a name may start with dots', async (t) => {
  const { kernel } = machine(t, { cgroup: memcg({ '..a': memcg(), '.b': memcg() }) });
  t.ok(kernel.memcgs.at('/..a'));
  t.ok(kernel.memcgs.at('/.b'));
});

void t.test('names are bytes, one character each', async (t) => {
  const { kernel, file } = machine(t);
  const directory = Buffer.concat([Buffer.from(file('cgroup/')), Buffer.from([0xff, 0x20, 0xc3])]);
  mkdirSync(directory);
  writeFileSync(Buffer.concat([directory, Buffer.from('/memory.stat')]), 'anon 4096\n');
  t.strictSame(kernel.memcgs.childNames('/'), ['\xff \xc3']);
  t.ok(kernel.memcgs.at('/\xff \xc3'));
  t.match(await kernel.memory.stat('/\xff \xc3'), { anonBytes: 4096 });
});

void t.test('lists every memcg, parents before their children and the root first', async (t) => {
  const { kernel } = machine(t, {
    cgroup: memcg({ a: memcg({ b: memcg({ c: memcg() }), d: memcg() }), e: memcg() }),
  });
  const paths = (await kernel.memcgs.list()).map(({ path }) => path);
  t.equal(paths[0], '/');
  t.strictSame([...paths].sort(), ['/', '/a', '/a/b', '/a/b/c', '/a/d', '/e']);
  for (const path of paths.slice(1)) {
    const parent = path.slice(0, path.lastIndexOf('/')) || '/';
    t.ok(paths.indexOf(parent) < paths.indexOf(path), `${parent} before ${path}`);
  }
});

void t.test('gives the processes of a memcg once each, those of other pid namespaces left out', async (t) => {
  const { kernel } = machine(t, { cgroup: memcg({ a: memcg({ 'cgroup.procs': '12\n0\n7\n12\n' }) }) });
  t.strictSame(await kernel.memcgs.tasks('/a'), [12, 7]);
  t.strictSame(await kernel.memcgs.tasks('/'), []);
});

void t.test('processes in cgroups below without the memory controller are the memcg’s own', async (t) => {
  const { kernel } = machine(t, {
    cgroup: memcg({
      'cgroup.subtree_control': 'memory\n',
      a: memcg({
        'cgroup.procs': '12\n',
        'cgroup.subtree_control': 'cpuset\n',
        b: {
          'cgroup.procs': '13\n',
          'cgroup.subtree_control': '\n',
          c: { 'cgroup.procs': '14\n', 'cgroup.subtree_control': '\n' },
        },
      }),
    }),
  });
  t.strictSame(await kernel.memcgs.tasks('/a'), [12, 13, 14]);
  t.strictSame(await kernel.memcgs.tasks('/'), []);
});

void t.test('knows the memcg that this process runs in', async (t) => {
  const { kernel } = machine(t, { proc: { self: { cgroup: '0::/system.slice/coldpgs.service\n' } } });
  t.equal(kernel.memcgs.own(), '/system.slice/coldpgs.service');
});

void t.test('knows it where only a part of the hierarchy is mounted', async (t) => {
  const mountinfo = '31 23 0:28 /docker/x @CGROUP@ rw - cgroup2 cgroup2 rw\n';
  const own = (path: string): string =>
    machine(t, { mountinfo, proc: { self: { cgroup: `0::${path}\n` } } }).kernel.memcgs.own();
  t.equal(own('/docker/x/worker'), '/worker');
  t.equal(own('/docker/x'), '/');
  t.equal(own('/docker/xy'), '/', 'outside of the part');
});

void t.test('takes a mount made outside of our cgroup namespace for the whole hierarchy', async (t) => {
  const { kernel } = machine(t, {
    mountinfo: '31 23 0:28 /../.. @CGROUP@ rw - cgroup2 cgroup2 rw\n',
    cgroup: memcg({ a: memcg() }),
    debugfs: { lru_gen: 'memcg     2 /a\n node     0\n' },
  });
  t.match(await kernel.lruGen.readOne('/a'), { id: '2' });
});

void t.test('other work goes on while many memcgs are listed', async (t) => {
  const { kernel, file } = machine(t);
  for (let parent = 0; parent < 20; parent++) {
    mkdirSync(file(`cgroup/${parent}`));
    writeFileSync(file(`cgroup/${parent}/memory.stat`), '');
    writeFileSync(file(`cgroup/${parent}/cgroup.subtree_control`), 'memory');
    for (let child = 0; child < 99; child++) {
      mkdirSync(file(`cgroup/${parent}/${child}`));
      writeFileSync(file(`cgroup/${parent}/${child}/memory.stat`), '');
    }
  }
  let turns = 0;
  const countTurn = (): void => {
    turns++;
    pending = setImmediate(countTurn);
  };
  let pending = setImmediate(countTurn);
  const listed = await kernel.memcgs.list();
  clearImmediate(pending);
  t.equal(listed.length, 2001);
  t.ok(turns > 0, 'turns of the event loop meanwhile');
});
