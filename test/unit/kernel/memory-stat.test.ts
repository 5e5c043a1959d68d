import fc from 'fast-check';
import t from 'tap';
import { parseMemoryStatV1, parseMemoryStatV2, parseTotalSwapV1 } from '../../../src/kernel/memory-stat.js';
import { anyBytes, damaged, hasOnlyCounts } from './arbitrary-text.js';
import { captured, CAPTURED_KERNELS } from './fixtures.js';

void t.test('reads cgroup v2', async (t) => {
  t.strictSame(parseMemoryStatV2(captured('kernel-6.12', 'memory.stat')), {
    anonBytes: 37756928,
    fileBytes: 37851136,
    shmemBytes: 0,
    swapCachedBytes: 659456,
    writebackBytes: 0,
    fileDirtyBytes: 0,
    inactiveAnonBytes: 38416384,
    activeAnonBytes: 0,
    unevictableBytes: 0,
    slabReclaimableBytes: 131456,
    refaultFilePages: 0,
    refaultAnonPages: 0,
    stealPages: 4220,
    zswapOutPages: 0,
    zswapInPages: 0,
    zswapWrittenBackPages: 0,
    includesDescendants: true,
  });
});

void t.test(
  'what our evictions freed is found whether the kernel calls it direct or proactive, and kswapd is not in it',
  async (t) => {
    t.equal(parseMemoryStatV2('pgsteal_kswapd 5\npgsteal_direct 70\n').stealPages, 70, 'before 6.15');
    t.equal(
      parseMemoryStatV2('pgsteal_kswapd 5\npgsteal_direct 70\npgsteal_proactive 600\n').stealPages,
      670,
      'from 6.15',
    );
    t.equal(parseMemoryStatV2(captured('kernel-7.2', 'memory.stat')).stealPages, 4445);
  },
);

void t.test('tells refaults of the two types apart', async (t) => {
  const stat = parseMemoryStatV2('workingset_refault_anon 3\nworkingset_refault_file 40\n');
  t.equal(stat.refaultAnonPages, 3);
  t.equal(stat.refaultFilePages, 40);
});

void t.test('what a kernel does not count is undefined, not 0', async (t) => {
  const stat = parseMemoryStatV2('anon 4096\nfile 0\n');
  t.equal(stat.stealPages, undefined);
  t.equal(stat.zswapOutPages, undefined);
  t.equal(stat.zswapInPages, undefined);
});

void t.test('reads the own values of a memcg on cgroup v1', async (t) => {
  const text = captured('cgroup-v1', 'memory.stat').replace('total_cache 449953792', 'total_cache 999999999');
  t.strictSame(parseMemoryStatV1(text), {
    anonBytes: 2424832,
    fileBytes: 449953792,
    shmemBytes: 0,
    swapCachedBytes: 0,
    writebackBytes: 0,
    fileDirtyBytes: 131072,
    inactiveAnonBytes: 2387968,
    activeAnonBytes: 12288,
    unevictableBytes: 0,
    slabReclaimableBytes: 0,
    refaultFilePages: 22193,
    refaultAnonPages: 0,
    stealPages: undefined,
    zswapOutPages: undefined,
    zswapInPages: undefined,
    zswapWrittenBackPages: undefined,
    includesDescendants: false,
  });
});

void t.test('and those with its descendants, where they are asked for', async (t) => {
  const text = captured('cgroup-v1', 'memory.stat').replace('total_cache 449953792', 'total_cache 999999999');
  const { fileBytes, anonBytes, refaultFilePages, includesDescendants } = parseMemoryStatV1(text, 'tree');
  t.same([fileBytes, anonBytes, refaultFilePages, includesDescendants], [999999999, 2424832, 22193, true]);
});

void t.test('swap on cgroup v1 is that of the memcg and its descendants', async (t) => {
  t.equal(parseTotalSwapV1('swap 4096\ntotal_swap 12288\n'), 12288);
  t.equal(parseTotalSwapV1('cache 4096\n'), 0, 'swap not accounted');
});

void t.test('a value that is cut off is not taken', async (t) => {
  t.equal(parseMemoryStatV2('anon 4096\nfile 123').fileBytes, 0);
});

void t.test('never throws, and gives counts only, whatever the text', async () => {
  const damagedText = fc.constantFrom(...CAPTURED_KERNELS).chain((kernel) => damaged(captured(kernel, 'memory.stat')));
  fc.assert(
    fc.property(
      fc.oneof(anyBytes, damagedText),
      (text) => hasOnlyCounts(parseMemoryStatV2(text)) && hasOnlyCounts(parseMemoryStatV1(text, 'tree')),
    ),
  );
});
