import t from 'tap';
import { captured } from '../fixtures.js';
import { machine, memcg } from './machine.js';

void t.test('takes cgroup v1 where that has the memory controller, though v2 is mounted beside it', async (t) => {
  const mountinfo = captured('cgroup-v1', 'mountinfo').replace('/sys/fs/cgroup/memory', '@CGROUP@');
  const { kernel, file } = machine(t, {
    mountinfo,
    cgroup: { 'memory.stat': '', service: { 'memory.stat': '', worker: { 'memory.stat': '' } } },
    proc: { self: { cgroup: captured('cgroup-v1', 'cgroup') } },
  });
  t.match(await kernel.capabilities(), { cgroupVersion: 1, cgroupRoot: file('cgroup') });
  t.equal(kernel.memcgs.own(), '/service/worker');
  t.strictSame(kernel.memcgs.childNames('/service'), ['worker'], 'v1 has no subtree_control');
});

void t.test('takes cgroup v2', async (t) => {
  const { kernel } = machine(t, {
    mountinfo: captured('kernel-6.12', 'mountinfo').replace('/sys/fs/cgroup', '@CGROUP@'),
  });
  t.match(await kernel.capabilities(), { cgroupVersion: 2 });
});

void t.test('prefers the mount that shows the whole hierarchy', async (t) => {
  const mountinfo = `30 23 0:28 /part @CGROUP@/part rw - cgroup2 cgroup2 rw
31 23 0:28 / @CGROUP@ rw - cgroup2 cgroup2 rw
`;
  const part = { 'cgroup.controllers': 'memory\n', 'memory.stat': '' };
  const { kernel } = machine(t, { mountinfo, cgroup: memcg({ a: memcg(), part }) });
  t.ok(kernel.memcgs.at('/a'));
});

void t.test('says what to do where no hierarchy has the memory controller', async (t) => {
  t.throws(() => machine(t, { cgroup: memcg({ 'cgroup.controllers': 'cpu pids\n' }) }), {
    code: 'NO_MEMORY_CONTROLLER',
    message: /cgroup_disable=memory/,
  });
  t.throws(() => machine(t, { mountinfo: '27 1 254:0 / / rw - ext4 /dev/vda rw\n' }), { code: 'NO_MEMORY_CONTROLLER' });
});
