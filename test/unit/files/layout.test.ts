import t from 'tap';
import { globalFolder, served } from './served.js';

const files = [
  ...['flags', 'threshold', 'size', 'stats', 'swapin'].map((name) => `memory.coldpgs.${name}`),
  'memory.idle_page_stats',
];

/** The bytes of a text as the kernel has names: one character a byte. */
const latin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

void t.test('the tree: the global files, every memcg with its files, and coldpgs about itself', async (t) => {
  const it = await served();
  it.world.machine.memcg('/pod/app');
  t.same(it.root.names(), ['sys', 'coldpgs']);
  t.ok(it.directory(globalFolder).names().includes('threshold'));
  t.same(it.directory('/sys/fs/cgroup').names(), [...files, 'system.slice', 'pod']);
  t.same(it.directory('/sys/fs/cgroup/pod').names(), [...files, 'app']);
  t.same(it.directory('/sys/fs/cgroup/pod/app').names(), files);
  t.same(it.directory('/coldpgs').names(), ['version', 'capabilities', 'errors', 'settings', 'gauges']);
});

void t.test('only what lies among the memcgs comes and goes by itself', async (t) => {
  const it = await served();
  t.ok(it.directory('/sys/fs/cgroup').changing);
  t.ok(it.directory('/sys/fs/cgroup/system.slice').changing);
  for (const path of ['/', '/sys', '/sys/fs', globalFolder, '/coldpgs']) t.notOk(it.directory(path).changing, path);
});

void t.test('what is not there is not found', async (t) => {
  const it = await served();
  for (const path of ['/other', '/sys/fs/cgroup/other', '/sys/fs/cgroup/memory.coldpgs', `${globalFolder}/other`])
    t.equal(it.find(path), undefined, path);
});

void t.test('names of memcgs are bytes: blanks, other scripts, line breaks, and what is no UTF-8', async (t) => {
  const it = await served();
  const names = ['with two  blanks', latin1('größe 日本'), 'line\nbreak', 'no UTF-8 \xff', '...', 'n'.repeat(255)];
  for (const [index, name] of names.entries()) {
    it.world.machine.memcg(`/${name}/below`);
    const file = `/sys/fs/cgroup/${name}/below/memory.coldpgs.size`;
    await it.write(file, String(index + 1));
    t.equal(it.read(file), `${index + 1}\n`);
  }
  t.same(
    it
      .directory('/sys/fs/cgroup')
      .names()
      .slice(files.length + 1),
    names,
  );
});

void t.test('every file and directory has an identity of its own, which stays', async (t) => {
  const it = await served();
  it.world.machine.memcg('/pod/app');
  const folders = [
    '/',
    '/sys',
    '/sys/fs',
    '/sys/fs/cgroup',
    '/sys/fs/cgroup/pod',
    '/sys/fs/cgroup/pod/app',
    '/sys/kernel',
  ];
  const paths = [
    ...folders,
    ...files.flatMap((name) => folders.slice(3, 6).map((folder) => `${folder}/${name}`)),
    ...it
      .directory(globalFolder)
      .names()
      .map((name) => `${globalFolder}/${name}`),
    ...it
      .directory('/coldpgs')
      .names()
      .map((name) => `/coldpgs/${name}`),
  ];
  const identities = paths.map((path) => it.find(path)?.identity);
  t.notOk(identities.includes(undefined));
  t.equal(new Set(identities).size, paths.length);
  t.same(
    paths.map((path) => it.find(path)?.identity),
    identities,
  );
});

void t.test('a file of a memcg that was removed answers ENOENT, whoever holds it open', async (t) => {
  const it = await served();
  it.world.machine.memcg('/pod');
  const folder = it.directory('/sys/fs/cgroup/pod');
  const held = files.map((name) => it.file(`/sys/fs/cgroup/pod/${name}`));
  it.world.machine.rmdir('/pod');
  t.equal(it.find('/sys/fs/cgroup/pod'), undefined);
  t.throws(() => folder.names(), { code: 'MEMCG_GONE', errno: 'ENOENT' });
  t.equal(folder.child('memory.coldpgs.size'), undefined);
  for (const file of held) {
    t.throws(() => file.render(), { code: 'MEMCG_GONE', errno: 'ENOENT' });
    const write = (async () => file.apply?.('swapin\n', { signal: new AbortController().signal }))();
    await t.rejects(write, { code: 'MEMCG_GONE', errno: 'ENOENT' });
  }
});

void t.test('a new memcg at an old path starts at 0; who holds the old one open is told that it is gone', async (t) => {
  const it = await served();
  it.world.machine.memcg('/pod');
  const path = (name: string): string => `/sys/fs/cgroup/pod/memory.coldpgs.${name}`;
  const old = it.file(path('size'));
  await it.write(path('flags'), '7');
  await it.write(path('threshold'), '3');
  it.world.engine.ledger.add(it.world.at('/pod'), { 'pagecache dropped': 4096 });
  it.world.machine.rmdir('/pod');
  it.world.machine.memcg('/pod');
  t.same([it.read(path('flags')), it.read(path('threshold')), it.read(path('size'))], ['0x0\n', '0\n', '0\n']);
  t.notMatch(it.read(path('stats')), /[1-9]\d* kB/);
  t.throws(() => old.render(), { code: 'MEMCG_GONE' });
  t.not(it.file(path('size')).identity, old.identity);
});

void t.test(
  'the permissions of the writable files can be set, those of the global files and of the memcgs’ apart',
  async (t) => {
    const it = await served({ modes: { global: 0o640, memcg: 0o660 } });
    t.equal(it.file(`${globalFolder}/threshold`).mode, 0o640);
    t.equal(it.file(`${globalFolder}/version`).mode, 0o400);
    t.equal(it.file('/sys/fs/cgroup/memory.coldpgs.size').mode, 0o660);
    t.equal(it.file('/coldpgs/errors').mode, 0o444);
  },
);

void t.test('the files of coldpgs about itself: one name and value a line, read-only', async (t) => {
  const it = await served({ release: '6.12.0', zswap: true });
  t.equal(it.read('/coldpgs/version'), '1.2.3\n');
  t.equal(it.read('/coldpgs/settings'), latin1('dialect: 2.5\nchildren: skip\nstate-dir: /größe\nscan-period: 10\n'));
  t.equal(it.read('/coldpgs/gauges'), 'openFiles: 3\n');
  t.equal(
    it.read('/coldpgs/capabilities'),
    `kernel: 6.12.0
cgroup: v2 at /sys/fs/cgroup
lru_gen: on
anon_only_eviction: false
memory_reclaim: true
slab_by_memcg: false
swap_bytes: 4294967296
zswap: on
psi: true
nodes: 0
tracker: mglru
read_witness: none: page cache used through read(2) only may look idle
scan_stretch: 1.00
processes_left_mlocked: 0
scan_cpu_percent_used: not known yet
`,
  );
  for (const name of it.directory('/coldpgs').names()) {
    t.equal(it.file(`/coldpgs/${name}`).mode, 0o444);
    t.notOk('apply' in it.file(`/coldpgs/${name}`));
  }
});

void t.test('errors: why the last writes did not do what was asked, one a line, in UTF-8', async (t) => {
  const it = await served();
  t.equal(it.read('/coldpgs/errors'), '');
  it.world.engine.problems.report('/日本', 'nothing is proven');
  it.world.engine.problems.report('/line\nbreak', 'mode is 0');
  const lines = it.read('/coldpgs/errors').trimEnd().split('\n');
  t.match(lines, [
    new RegExp(String.raw`^\d{4}-\d\d-\d\dT[\d:.]+Z ${latin1('/日本')}: nothing is proven$`),
    / \/line break: mode is 0$/,
  ]);
});
