import { readFileSync, rmSync } from 'node:fs';
import t, { type Test } from 'tap';
import { machine, memcg } from './machine.js';

function withShrinkers(t: Test) {
  return machine(t, {
    cgroup: memcg({ a: memcg({ 'memory.stat': 'slab_reclaimable 4096\n' }) }),
    proc: { meminfo: 'SReclaimable:      52 kB\n' },
    debugfs: {
      shrinker: {
        'sb-ext4:vda1-36': { count: '1 5 0\n77 12 7\n', scan: '' },
        'sb-tmpfs-3': { count: '77 1 0\n', scan: '' },
        'rcu-kfree-0': { count: '0 9 9\n', scan: '' },
      },
    },
  });
}

void t.test('counts dentries and inodes, not what other shrinkers have', async (t) => {
  const { kernel } = withShrinkers(t);
  t.equal(kernel.slab.obstacle(), undefined);
  t.same((await kernel.slab.caches()).map(({ shrinker, memcgInode }) => [shrinker, memcgInode]).sort(), [
    ['sb-ext4:vda1-36', 1n],
    ['sb-ext4:vda1-36', 77n],
    ['sb-tmpfs-3', 77n],
  ]);
});

void t.test('has the kernel look at objects of a memcg on a node', async (t) => {
  const { kernel, file } = withShrinkers(t);
  const cache = { shrinker: 'sb-tmpfs-3', memcgInode: 77n, objectsByNode: [1, 0] };
  await kernel.slab.shrink(cache, 0, 1024);
  t.equal(readFileSync(file('debugfs/shrinker/sb-tmpfs-3/scan'), 'latin1'), '77 0 1024');
  rmSync(file('debugfs/shrinker/sb-tmpfs-3'), { recursive: true });
  await kernel.slab.shrink(cache, 0, 1024);
});

void t.test('bytes are the memcg’s, and for the root the machine’s', async (t) => {
  const { kernel } = withShrinkers(t);
  t.equal(await kernel.slab.reclaimableBytes('/a'), 4096);
  t.equal(await kernel.slab.reclaimableBytes('/'), 52 * 1024);
  await t.rejects(kernel.slab.reclaimableBytes('/gone'), { code: 'MEMCG_GONE' });
});

void t.test('without shrinker debugging says what is missing', async (t) => {
  const { kernel } = machine(t);
  t.match(kernel.slab.obstacle(), /CONFIG_SHRINKER_DEBUG/);
  await t.rejects(kernel.slab.caches(), { code: 'KERNEL_REFUSED' });
});

void t.test('drops those of all', async (t) => {
  const { kernel } = machine(t);
  await t.rejects(kernel.slab.dropAll(), { code: 'KERNEL_REFUSED' }, 'no such file here');
});
