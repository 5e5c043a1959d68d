import { readFileSync, rmSync } from 'node:fs';
import t from 'tap';
import type { DamonPlan } from '../../../../src/kernel/damon.js';
import { captured } from '../fixtures.js';
import { machine, type Tree } from './machine.js';

const schemes = 'sys/kernel/mm/damon/admin/kdamonds/0/contexts/0/schemes';
const iomem = captured('kernel-7.2', 'iomem');
const pid = '4711';
const plan: DamonPlan = {
  sampleUs: 5000,
  aggregationUs: 100_000,
  applyUs: 1_000_000,
  regions: [10, 1000],
  schemes: [{ accesses: [0, 0], ageIntervals: [1, 2], filters: [{ type: 'memcg', path: '/a', leavesOut: 'others' }] }],
};

/** The files of one kdamond as a real kernel has them, empty; the counts of regions and schemes are those of the plan. */
function kdamond(): Tree {
  const root: Record<string, unknown> = {};
  const ranges = iomem.split('\n').filter((line) => /^\S.*System RAM$/.test(line)).length;
  for (const path of captured('kernel-7.2', 'damon-files').trim().split('\n')) {
    const copies = path.includes('/regions/0/')
      ? Array.from({ length: ranges }, (_, index) => path.replace('/regions/0/', `/regions/${index}/`))
      : [path];
    for (const copy of copies) {
      const names = copy.split('/');
      let folder = root;
      for (const name of names.slice(0, -1)) folder = (folder[name] ??= {}) as Record<string, unknown>;
      folder[names.at(-1) ?? ''] = '';
    }
  }
  root['pid'] = `${pid}\n`;
  return root as Tree;
}

function damonMachine(
  t: Parameters<typeof machine>[0],
  {
    count = '0',
    stat = 'N',
    release = '7.2.13+deb14-amd64',
    mountinfo = '31 23 0:28 / @CGROUP@ rw,relatime - cgroup2 cgroup2 rw\n',
  } = {},
) {
  return machine(t, {
    release,
    mountinfo,
    proc: { iomem },
    sys: {
      kernel: { mm: { damon: { admin: { kdamonds: { nr_kdamonds: `${count}\n`, '0': kdamond() } } } } },
      module: { damon_stat: { parameters: { enabled: `${stat}\n` } } },
    },
  });
}

void t.test('can be had where nobody else uses it', async (t) => {
  t.equal(await damonMachine(t).kernel.damon.obstacle(), undefined);
});

void t.test('cannot be had, and says why', async (t) => {
  t.match(await machine(t).kernel.damon.obstacle(), /CONFIG_DAMON_SYSFS/);
  t.match(await damonMachine(t, { release: '6.12.107' }).kernel.damon.obstacle(), /6\.14 or later/);
  t.match(await damonMachine(t, { stat: 'Y' }).kernel.damon.obstacle(), /DAMON_STAT.*write N to .*damon_stat/);
  t.match(await damonMachine(t, { count: '1' }).kernel.damon.obstacle(), /somebody else has a kdamond/);
});

void t.test('writes the plan to the first kdamond and answers the bytes it watches', async (t) => {
  const { kernel, file } = damonMachine(t);
  const bytes = await kernel.damon.configure(plan);
  t.ok(bytes > 1.9 * 2 ** 30 && bytes <= 2 ** 31);
  const context = file('sys/kernel/mm/damon/admin/kdamonds/0/contexts/0');
  t.equal(readFileSync(`${context}/operations`, 'utf8'), 'paddr');
  t.equal(readFileSync(`${context}/schemes/0/filters/0/memcg_path`, 'utf8'), '/a');
  t.equal(readFileSync(`${context}/targets/0/regions/0/start`, 'utf8'), String(0x1000));
});

void t.test('where a part of the hierarchy is mounted, memcgs have the names that the kernel knows', async (t) => {
  const mountinfo = '31 23 0:28 /part @CGROUP@ rw,relatime - cgroup2 cgroup2 rw\n';
  const { kernel, file, write } = damonMachine(t, { mountinfo });
  const path = `${schemes}/0/filters/0/memcg_path`;
  await kernel.damon.configure(plan);
  t.equal(readFileSync(file(path), 'utf8'), '/part/a');
  write(path, '');
  const root = { type: 'memcg', path: '/', leavesOut: 'others' } as const;
  await kernel.damon.replaceSchemes({ ...plan, schemes: [{ ...plan.schemes[0]!, filters: [root] }] }, pid);
  t.equal(readFileSync(file(path), 'utf8'), '/part');
});

void t.test('new schemes are committed, and counts asked for before they are read', async (t) => {
  const { kernel, write } = damonMachine(t);
  await kernel.damon.replaceSchemes(plan, pid);
  t.equal(readFileSync(kernel.damon.stateFile, 'utf8'), 'commit');
  const stats = `${schemes}/0/stats`;
  write(`${stats}/sz_tried`, '8192\n');
  write(`${stats}/sz_ops_filter_passed`, '4096\n');
  write('sys/kernel/mm/damon/admin/kdamonds/0/state', '');
  t.strictSame(await kernel.damon.stats(1, pid), [{ triedBytes: 8192, passedBytes: 4096 }]);
  t.equal(readFileSync(kernel.damon.stateFile, 'utf8'), 'update_schemes_stats');
});

void t.test('a refusal names the file', async (t) => {
  const { kernel } = machine(t, { proc: { iomem } });
  await t.rejects(kernel.damon.configure(plan), { code: 'KERNEL_REFUSED', message: /nr_contexts/ });
});

void t.test('once its own kdamond is off or another one runs in its place, nothing is written any more', async (t) => {
  const { kernel, file, write } = damonMachine(t);
  const { damon } = kernel;
  const lost = { code: 'TRACKER_UNAVAILABLE', message: /turned off the kdamond of coldpgs \(process 4711\)/ };
  for (const now of ['-1\n', '4712\n']) {
    write('sys/kernel/mm/damon/admin/kdamonds/0/pid', now);
    await t.rejects(damon.replaceSchemes(plan, pid), lost);
    await t.rejects(damon.stats(1, pid), lost);
  }
  rmSync(damon.pidFile);
  await t.rejects(damon.stats(1, pid), lost);
  t.equal(readFileSync(damon.stateFile, 'utf8'), '');
  t.equal(readFileSync(file(`${schemes}/nr_schemes`), 'utf8'), '');
});
