import { mkdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { machine, memcg } from './machine.js';

void t.test("names the file of a memcg's setting, and none where the memcg has none", async (t) => {
  const { kernel, file } = machine(t, { cgroup: memcg({ a: memcg({ 'memory.swap.max': 'max\n' }) }) });
  t.equal(kernel.settings.memcgFile('/a', 'memory.swap.max'), file('cgroup/a/memory.swap.max'));
  t.equal(kernel.settings.memcgFile('/', 'memory.swap.max'), undefined);
  t.equal(kernel.settings.memcgFile('/gone', 'memory.swap.max'), undefined);
});

void t.test('what is read can be written back as it was', async (t) => {
  const { kernel, file } = machine(t, { cgroup: memcg({ a: memcg({ 'memory.swap.max': 'max\n' }) }) });
  const setting = file('cgroup/a/memory.swap.max');
  const before = kernel.settings.read(setting);
  t.equal(before, 'max');
  kernel.settings.write(setting, '0  ');
  kernel.settings.write(setting, before ?? '');
  t.equal(readFileSync(setting, 'latin1').trimEnd(), 'max');
});

void t.test('a setting that is not there reads as undefined, and is not made by a write', async (t) => {
  const { kernel, file } = machine(t);
  t.equal(kernel.settings.read(file('cgroup/memory.zswap.max')), undefined);
  t.throws(() => kernel.settings.write(file('cgroup/memory.zswap.max'), '0'), {
    code: 'KERNEL_REFUSED',
    cause: { code: 'ENOENT' },
  });
  t.equal(kernel.settings.read(file('cgroup/memory.zswap.max')), undefined);
});

void t.test('a refusal says which file and what value', async (t) => {
  const { kernel, file } = machine(t);
  mkdirSync(file('cgroup/directory'));
  t.throws(() => kernel.settings.write(file('cgroup/directory'), '17'), {
    code: 'KERNEL_REFUSED',
    message: /17 .*directory/,
  });
  t.throws(() => kernel.settings.read(file('cgroup/directory')), { code: 'KERNEL_REFUSED' });
});
