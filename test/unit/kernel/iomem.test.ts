import fc from 'fast-check';
import t from 'tap';
import { parseSystemRam } from '../../../src/kernel/iomem.js';
import { damaged, hasOnlyCounts } from './arbitrary-text.js';
import { captured } from './fixtures.js';

void t.test('gives the ranges of RAM of a real machine, ends exclusive', async (t) => {
  const ranges = parseSystemRam(captured('kernel-7.2', 'iomem'));
  t.strictSame(ranges[0], { start: 0x1000, end: 0x9fc00 });
  const bytes = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  t.ok(bytes > 1.9 * 2 ** 30 && bytes <= 2 ** 31, 'about the 2 GiB of the VM');
});

void t.test('takes whole ranges only, not what lies inside them', async (t) => {
  const text =
    '00100000-7ffdbfff : System RAM\n  01000000-01ffffff : Kernel code\n  02000000-02ffffff : System RAM\n80000000-8fffffff : PCI\n';
  t.strictSame(parseSystemRam(text), [{ start: 0x100000, end: 0x7ffdc000 }]);
});

void t.test('knows no RAM where the kernel hides addresses', async (t) => {
  t.strictSame(parseSystemRam('00000000-00000000 : System RAM\n00000000-00000000 : System RAM\n'), []);
});

void t.test('never gives a range that is no range, whatever the text', async () => {
  fc.assert(
    fc.property(damaged(captured('kernel-6.12', 'iomem')), (text) => {
      const ranges = parseSystemRam(text);
      return hasOnlyCounts(ranges) && ranges.every(({ start, end }) => start < end);
    }),
  );
});
