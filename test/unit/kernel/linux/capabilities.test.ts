import t from 'tap';
import { captured } from '../fixtures.js';
import { machine, memcg, type Tree } from './machine.js';

function lruGenSwitch(enabled: string): Tree {
  return { kernel: { mm: { lru_gen: { enabled } } } };
}

void t.test('a machine that has everything', async (t) => {
  const { kernel, file } = machine(t, {
    release: captured('kernel-7.2', 'osrelease').trim(),
    cgroup: memcg({ 'memory.reclaim': '' }),
    proc: { swaps: captured('kernel-7.2', 'swaps'), pressure: { memory: 'some avg10=0.00\n' } },
    sys: {
      ...lruGenSwitch('0x0007\n'),
      module: { zswap: { parameters: { enabled: 'Y\n' } } },
      devices: { system: { node: { has_memory: '0-1\n' } } },
    },
    debugfs: { lru_gen: '', shrinker: {} },
  });
  t.strictSame(await kernel.capabilities(), {
    kernelRelease: '7.2.13+deb14-amd64',
    cgroupVersion: 2,
    cgroupRoot: file('cgroup'),
    lruGen: 'on',
    anonOnlyEviction: true,
    memoryReclaim: true,
    slabByMemcg: true,
    swapBytes: 1048572 * 1024,
    zswap: 'on',
    psi: true,
    nodes: [0, 1],
  });
});

void t.test('a machine that has nothing', async (t) => {
  t.match(await machine(t, { release: '6.1.0' }).kernel.capabilities(), {
    lruGen: 'absent',
    anonOnlyEviction: false,
    memoryReclaim: false,
    slabByMemcg: false,
    swapBytes: 0,
    zswap: 'absent',
    psi: false,
    nodes: [0],
  });
});

void t.test('tells why generations cannot be had', async (t) => {
  const lruGen = async (sys: Tree, debugfs: Tree): Promise<string> =>
    (await machine(t, { sys, debugfs }).kernel.capabilities()).lruGen;
  t.equal(await lruGen({}, { lru_gen: '' }), 'absent');
  t.equal(
    await lruGen(lruGenSwitch('0x0006\n'), { lru_gen: '' }),
    'off',
    'the other bits do nothing without the first',
  );
  t.equal(await lruGen(lruGenSwitch('0x0007\n'), {}), 'no-debugfs');
  t.equal(
    await lruGen(lruGenSwitch('0x0007\n'), { lru_gen: {} }),
    'locked',
    'there, and not to be opened for commands',
  );
  t.equal(await lruGen(lruGenSwitch('0x0001\n'), { lru_gen: '' }), 'on');
});

void t.test('zswap can be built in and off', async (t) => {
  const { kernel } = machine(t, { sys: { module: { zswap: { parameters: { enabled: 'N\n' } } } } });
  t.match(await kernel.capabilities(), { zswap: 'off' });
  t.equal(kernel.zswap.state(), 'off');
});

void t.test('names the swap devices', async (t) => {
  const { kernel } = machine(t, { proc: { swaps: captured('kernel-6.1', 'swaps') } });
  t.match(await kernel.swap.devices(), [{ name: '/dev/vde', usedBytes: 17516 * 1024 }]);
});
