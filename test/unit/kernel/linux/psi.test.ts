import t from 'tap';
import { machine, memcg } from './machine.js';

const pressure = (some: number): string =>
  `some avg10=0.00 avg60=0.00 avg300=0.00 total=${some}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n`;

/** The two pressure files of a memcg or of the machine. */
function files(memory: number, io: number) {
  return { 'memory.pressure': pressure(memory), 'io.pressure': pressure(io) };
}

void t.test('cgroup v2: each memcg has its own files, the root those of the machine', async (t) => {
  const { kernel } = machine(t, {
    cgroup: memcg({ ...files(1, 2), pod: memcg(files(30, 40)), bare: memcg() }),
    proc: { pressure: { memory: pressure(5), io: pressure(6) } },
  });
  t.equal(kernel.pressure.scope, 'memcg');
  t.same(await kernel.pressure.totals('/'), { memoryUs: 1, ioUs: 2 });
  t.same(await kernel.pressure.totals('/pod'), { memoryUs: 30, ioUs: 40 });
  await t.rejects(kernel.pressure.totals('/gone'), { code: 'MEMCG_GONE' });
  await t.rejects(kernel.pressure.totals('/bare'), { code: 'KERNEL_REFUSED' }, 'cgroup.pressure is 0');
});

void t.test('a root without such files stands for the machine', async (t) => {
  const { kernel } = machine(t, { proc: { pressure: { memory: pressure(5), io: pressure(6) } } });
  t.same(await kernel.pressure.totals('/'), { memoryUs: 5, ioUs: 6, ofMachine: true });
});

void t.test('cgroup v1: the unified hierarchy where it has the cgroup, else the machine', async (t) => {
  const v1 = '35 31 0:32 / @CGROUP@/memory rw,relatime - cgroup cgroup rw,memory\n';
  const unified = '41 31 0:38 / @CGROUP@/unified rw,relatime - cgroup2 cgroup2 rw\n';
  const cgroup = { memory: memcg({ pod: memcg(), other: memcg() }), unified: { pod: files(30, 40) } };
  const proc = { pressure: { memory: pressure(5), io: pressure(6) } };
  const hybrid = machine(t, { cgroup, proc, mountinfo: v1 + unified }).kernel.pressure;
  t.equal(hybrid.scope, 'memcg');
  t.same(await hybrid.totals('/pod'), { memoryUs: 30, ioUs: 40 });
  t.same(await hybrid.totals('/other'), { memoryUs: 5, ioUs: 6, ofMachine: true });
  const alone = machine(t, { cgroup, proc, mountinfo: v1 }).kernel.pressure;
  t.equal(alone.scope, 'machine');
  t.same(await alone.totals('/pod'), { memoryUs: 5, ioUs: 6, ofMachine: true });
});
