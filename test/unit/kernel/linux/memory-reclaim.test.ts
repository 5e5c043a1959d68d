import { readFileSync } from 'node:fs';
import t from 'tap';
import { machine, memcg } from './machine.js';

const cgroup = memcg({ 'memory.reclaim': '', a: memcg({ 'memory.reclaim': '' }) });

void t.test('holds the kernel to page types as far as it can be', async (t) => {
  const holdsTo = (release: string) => machine(t, { cgroup, release }).kernel.memoryReclaim.holdsTo;
  t.same(holdsTo('6.1.0'), ['both']);
  t.same(holdsTo('6.12.0'), ['both', 'file']);
  t.same(holdsTo('7.2.0'), ['both', 'file', 'anon']);
  t.same(machine(t).kernel.memoryReclaim.holdsTo, [], 'no such file');
});

void t.test('asks in bytes', async (t) => {
  const { kernel, file } = machine(t, { cgroup, release: '7.2.0' });
  for (const [types, text] of [
    ['both', '65536'],
    ['file', '65536 swappiness=0'],
    ['anon', '65536 swappiness=max'],
  ] as const) {
    await kernel.memoryReclaim.reclaim('/a', 65536, types);
    t.ok(readFileSync(file('cgroup/a/memory.reclaim'), 'latin1').startsWith(text));
  }
  await t.rejects(kernel.memoryReclaim.reclaim('/gone', 1, 'both'), { code: 'MEMCG_GONE' });
});
