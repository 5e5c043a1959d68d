import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { v1MemoryStat } from '../../../src/compat/v1-memory-stat.js';

const limits = { memory: 4096n, memsw: 8192n };
const fixture = (path: string): string => readFileSync(new URL(`../../fixtures/${path}`, import.meta.url), 'latin1');
const names = (text: string): string[] => Array.from(text.matchAll(/^(\w+) \d+$/gm), ([, name = '']) => name);
const value = (text: string, name: string): string | undefined => new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1];

void t.test('the lines are those of a real v1, in its order, but what v2 does not count', async (t) => {
  const real = names(fixture('cgroup-v1/memory.stat')).filter((name) => !/pgpgin|pgpgout/.test(name));
  for (const kernel of ['kernel-6.1', 'kernel-6.12', 'kernel-7.2'])
    t.same(names(v1MemoryStat({ stat: fixture(`${kernel}/memory.stat`), swapBytes: 0n }, [], limits)), real, kernel);
});

void t.test('a group’s own is what its children do not have; total_ has all', async (t) => {
  const child = { stat: 'anon 300\nfile 100\n', swapBytes: 5n };
  const text = v1MemoryStat({ stat: 'anon 1000\nfile 150\npgfault 7\n', swapBytes: 12n }, [child, child], limits);
  t.equal(value(text, 'rss'), '400');
  t.equal(value(text, 'total_rss'), '1000');
  t.equal(value(text, 'swap'), '2');
  t.equal(value(text, 'cache'), '0', 'read a moment later than the group, the children had more');
  t.equal(value(text, 'pgfault'), '7');
  t.match(text, /\nhierarchical_memory_limit 4096\nhierarchical_memsw_limit 8192\ntotal_cache 150\n/);
});

void t.test('whatever the kernel writes, every line has a name and a number', async () => {
  fc.assert(
    fc.property(fc.string(), (stat) => {
      const text = v1MemoryStat({ stat, swapBytes: undefined }, [], limits);
      return names(text).length === text.split('\n').length - 1;
    }),
  );
});
