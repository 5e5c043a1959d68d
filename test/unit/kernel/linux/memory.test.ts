import { rmSync } from 'node:fs';
import t from 'tap';
import { captured } from '../fixtures.js';
import { machine, memcg, type Machine, type Tree } from './machine.js';

const MIB = 2 ** 20;

function machineV1(t: Parameters<typeof machine>[0], cgroup: Tree): Machine {
  const mountinfo = captured('cgroup-v1', 'mountinfo').replace('/sys/fs/cgroup/memory', '@CGROUP@');
  return machine(t, { mountinfo, cgroup, proc: { meminfo: captured('kernel-6.12', 'meminfo') } });
}

function limits(memoryMax: string, memoryCurrent: string, swapMax: string, swapCurrent: string): Tree {
  return {
    'memory.max': `${memoryMax}\n`,
    'memory.current': `${memoryCurrent}\n`,
    'memory.swap.max': `${swapMax}\n`,
    'memory.swap.current': `${swapCurrent}\n`,
  };
}

function limitsV1(limit: number | string, usage: number, memswLimit: number | string, memswUsage: number): Tree {
  return {
    'memory.stat': '',
    'memory.limit_in_bytes': `${limit}\n`,
    'memory.usage_in_bytes': `${usage}\n`,
    'memory.memsw.limit_in_bytes': `${memswLimit}\n`,
    'memory.memsw.usage_in_bytes': `${memswUsage}\n`,
  };
}

void t.test('reads memory.stat of either cgroup version', async (t) => {
  const v2 = machine(t, { cgroup: memcg({ a: memcg({ 'memory.stat': captured('kernel-6.1', 'memory.stat') }) }) });
  t.match(await v2.kernel.memory.stat('/a'), { anonBytes: 37769216, stealPages: 4253 });
  const v1 = machineV1(t, { a: { 'memory.stat': captured('cgroup-v1', 'memory.stat') } });
  t.match(await v1.kernel.memory.stat('/a'), { anonBytes: 2424832, stealPages: undefined });
});

void t.test(
  'reads memory.stat at once as well; on cgroup v1 with the descendants where that is asked for',
  async (t) => {
    const v2 = machine(t, { cgroup: memcg({ a: memcg({ 'memory.stat': captured('kernel-6.1', 'memory.stat') }) }) });
    t.strictSame(v2.kernel.memory.statNow('/a', 'own'), await v2.kernel.memory.stat('/a'));
    t.throws(() => v2.kernel.memory.statNow('/b', 'tree'), { code: 'MEMCG_GONE', errno: 'ENOENT' });
    const v1 = machineV1(t, { a: { 'memory.stat': 'cache 4096\ntotal_cache 8192\n' } });
    t.equal(v1.kernel.memory.statNow('/a', 'own').fileBytes, 4096);
    t.equal(v1.kernel.memory.statNow('/a', 'tree').fileBytes, 8192);
  },
);

void t.test('says how much a memcg ran, on cgroup v2', async (t) => {
  const v2 = machine(t, { cgroup: memcg({ a: memcg({ 'cpu.stat': 'usage_usec 1234\nuser_usec 1000\n' }) }) });
  t.equal(await v2.kernel.memcgs.cpuUsageUs('/a'), 1234);
  await t.rejects(v2.kernel.memcgs.cpuUsageUs('/b'), { code: 'MEMCG_GONE' });
  const v1 = machineV1(t, { a: { 'memory.stat': '' } });
  t.equal(await v1.kernel.memcgs.cpuUsageUs('/a'), undefined);
});

void t.test('every question about a removed memcg says that it is gone', async (t) => {
  const { kernel, file } = machine(t, { cgroup: memcg({ a: memcg(limits('max', '0', 'max', '0')) }) });
  rmSync(file('cgroup/a'), { recursive: true });
  const gone = { code: 'MEMCG_GONE', errno: 'ENOENT' };
  await t.rejects(kernel.memory.stat('/a'), gone);
  await t.rejects(kernel.memory.room('/a'), gone);
  await t.rejects(kernel.memory.swapUsed('/a'), gone);
  await t.rejects(kernel.memory.swapRoom('/a'), gone);
});

void t.test('room is the least on the way to the root', async (t) => {
  const { kernel } = machine(t, {
    cgroup: memcg({
      a: memcg({
        ...limits(`${100 * MIB}`, `${90 * MIB}`, 'max', '0'),
        b: memcg({ ...limits(`${50 * MIB}`, `${10 * MIB}`, 'max', '0'), c: memcg(limits('max', '0', 'max', '0')) }),
      }),
    }),
  });
  t.equal(await kernel.memory.room('/a'), 10 * MIB);
  t.equal(await kernel.memory.room('/a/b'), 10 * MIB);
  t.equal(await kernel.memory.room('/a/b/c'), 10 * MIB);
});

void t.test('there is room without end where nothing is limited, and none above a limit', async (t) => {
  const { kernel } = machine(t, {
    cgroup: memcg({ free: memcg(limits('max', '4096', 'max', '0')), over: memcg(limits('4096', '8192', 'max', '0')) }),
  });
  t.equal(await kernel.memory.room('/'), Infinity, 'the root has no such files');
  t.equal(await kernel.memory.room('/free'), Infinity);
  t.equal(await kernel.memory.room('/over'), 0);
});

void t.test('swap of a memcg is what is charged to it, swap of the root what the machine uses', async (t) => {
  const { kernel } = machine(t, {
    cgroup: memcg({ a: memcg(limits('max', '0', 'max', `${3 * MIB}`)), unaccounted: memcg() }),
    proc: { meminfo: captured('kernel-6.12', 'meminfo') },
  });
  t.equal(await kernel.memory.swapUsed('/a'), 3 * MIB);
  t.equal(await kernel.memory.swapUsed('/'), (1048572 - 1030800) * 1024);
  t.equal(await kernel.memory.swapUsed('/unaccounted'), 0, 'a kernel that does not charge swap');
});

void t.test('room for swap ends at the limits and at what the devices have free', async (t) => {
  const { kernel } = machine(t, {
    cgroup: memcg({
      a: memcg({ ...limits('max', '0', `${5 * MIB}`, `${3 * MIB}`), b: memcg(limits('max', '0', 'max', '0')) }),
      free: memcg(limits('max', '0', 'max', '0')),
      none: memcg(limits('max', '0', '0', '4096')),
    }),
    proc: { meminfo: captured('kernel-6.12', 'meminfo') },
  });
  t.equal(await kernel.memory.swapRoom('/a/b'), 2 * MIB);
  t.equal(await kernel.memory.swapRoom('/free'), 1030800 * 1024);
  t.equal(await kernel.memory.swapRoom('/none'), 0);
});

void t.test("swappiness is the machine's on v2 and the memcg's on v1", async (t) => {
  t.equal(await machine(t, { cgroup: memcg({ a: memcg() }) }).kernel.memory.swappiness('/a'), 60);
  const v1 = machineV1(t, { 'memory.swappiness': '60\n', a: { 'memory.swappiness': '0\n' } });
  t.equal(await v1.kernel.memory.swappiness('/a'), 0);
});

void t.test('room on v1 is room for memory and for memory with swap', async (t) => {
  const unlimited = captured('cgroup-v1', 'memory.limit_in_bytes').trim();
  const { kernel } = machineV1(t, {
    ...limitsV1(unlimited, 5, unlimited, 5),
    memory: limitsV1(100, 70, unlimited, 90),
    both: limitsV1(100, 70, 100, 90),
    free: { ...limitsV1(unlimited, 70, unlimited, 90), child: limitsV1(10, 1, unlimited, 90) },
    unaccounted: { 'memory.limit_in_bytes': '100\n', 'memory.usage_in_bytes': '1\n' },
  });
  t.equal(await kernel.memory.room('/memory'), 30);
  t.equal(await kernel.memory.room('/both'), 10);
  t.equal(await kernel.memory.room('/free'), Infinity);
  t.equal(await kernel.memory.room('/free/child'), 9);
  t.equal(await kernel.memory.room('/unaccounted'), 99);
});

void t.test('swap on v1 is counted with the descendants, and limited by the devices only', async (t) => {
  const { kernel } = machineV1(t, {
    a: { ...limitsV1(100, 70, 100, 100), 'memory.stat': 'swap 4096\ntotal_swap 8192\n' },
  });
  t.equal(await kernel.memory.swapUsed('/a'), 8192);
  t.equal(await kernel.memory.swapUsed('/'), (1048572 - 1030800) * 1024);
  t.equal(await kernel.memory.swapRoom('/a'), 1030800 * 1024);
});
