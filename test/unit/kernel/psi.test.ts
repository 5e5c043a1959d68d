import fc from 'fast-check';
import t from 'tap';
import { parseSomeTotal } from '../../../src/kernel/psi.js';
import { anyBytes, damaged, hasOnlyCounts } from './arbitrary-text.js';
import { captured, CAPTURED_KERNELS } from './fixtures.js';

void t.test('the total of the line "some" counts, of memory and of io', async (t) => {
  for (const kernel of CAPTURED_KERNELS)
    for (const file of ['memory.pressure', 'io.pressure']) {
      const text = captured(kernel, file);
      const total = /^some .*total=(\d+)/.exec(text)?.[1];
      t.equal(parseSomeTotal(text), Number(total), `${kernel} ${file}`);
    }
  const text = 'some avg10=0.00 avg60=0.12 avg300=1.05 total=82345\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n';
  t.equal(parseSomeTotal(text), 82345);
});

void t.test('a text without that line has no total, and nothing makes it throw', async () => {
  const text = captured('kernel-6.12', 'memory.pressure');
  fc.assert(fc.property(fc.oneof(anyBytes, damaged(text)), (any) => hasOnlyCounts(parseSomeTotal(any) ?? 0)));
});
