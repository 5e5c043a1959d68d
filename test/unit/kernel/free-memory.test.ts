import fc from 'fast-check';
import t from 'tap';
import { parseFreeBlocks, parseFreeBlocksByNode } from '../../../src/kernel/buddyinfo.js';
import { parseFreeBytes } from '../../../src/kernel/meminfo.js';
import { parseMovablePages } from '../../../src/kernel/pagetypeinfo.js';
import { anyBytes, damaged, hasOnlyCounts } from './arbitrary-text.js';
import { captured, CAPTURED_KERNELS } from './fixtures.js';

const orders = 11;

void t.test('free movable pages by order, and free blocks by order, over all zones', async (t) => {
  for (const kernel of CAPTURED_KERNELS) {
    const movable = parseMovablePages(captured(kernel, 'pagetypeinfo'));
    const blocks = parseFreeBlocks(captured(kernel, 'buddyinfo'));
    t.equal(movable.length, orders, kernel);
    t.equal(blocks.length, orders, kernel);
    const freePages = blocks.reduce((sum, count, order) => sum + count * 2 ** order, 0);
    const movablePages = movable.reduce((sum, pages) => sum + pages, 0);
    t.ok(movablePages > 0 && movablePages <= freePages * 1.2, `${kernel}: ${movablePages} of ${freePages}`);
    // Both were read within a moment of meminfo; the rest of MemFree is in the processors' own lists.
    const memFreePages = parseFreeBytes(captured(kernel, 'meminfo')) / 4096;
    t.ok(Math.abs(freePages - memFreePages) < memFreePages * 0.2, `${kernel}: ${freePages} of ${memFreePages}`);
  }
});

void t.test(
  'rows of one zone and type add up, and counts that were cut off count as what they are at least',
  async (t) => {
    const text = `Page block order: 9
Pages per block:  512

Free pages count per migrate type at order       0      1      2
Node    0, zone    DMA32, type    Unmovable      5      5      5
Node    0, zone    DMA32, type      Movable      1      2      3
Node    0, zone   Normal, type      Movable >100000     10      1
Node    1, zone   Normal, type      Movable      0 >100000      0

Number of blocks type     Unmovable      Movable
Node 0, zone    DMA32           12          700
`;
    t.same(parseMovablePages(text), [100_001, 200_024, 16]);
    t.same(parseFreeBlocks('Node 0, zone      DMA      1      2\nNode 1, zone   Normal     10     20\n'), [11, 22]);
  },
);

void t.test('nothing makes them throw or count below zero', async () => {
  const texts = ['pagetypeinfo', 'buddyinfo', 'meminfo'].map((file) => captured('kernel-6.12', file));
  fc.assert(
    fc.property(fc.oneof(anyBytes, ...texts.map(damaged)), (text) =>
      [parseMovablePages(text), parseFreeBlocks(text), parseFreeBytes(text)].every(hasOnlyCounts),
    ),
  );
});

void t.test('free blocks of each node', (t) => {
  const text = `Node 0, zone      DMA      1      0      2
Node 0, zone   Normal     10      1      0
Node 1, zone   Normal      7      0      5
`;
  t.same(
    [...parseFreeBlocksByNode(text)],
    [
      [0, [11, 1, 2]],
      [1, [7, 0, 5]],
    ],
  );
  t.end();
});
