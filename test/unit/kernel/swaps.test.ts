import fc from 'fast-check';
import t from 'tap';
import { parseMachineSwap } from '../../../src/kernel/meminfo.js';
import { parseSwaps } from '../../../src/kernel/swaps.js';
import { anyBytes, damaged, hasOnlyCounts } from './arbitrary-text.js';
import { captured } from './fixtures.js';

void t.test('reads the devices of /proc/swaps, sizes in bytes', async (t) => {
  t.strictSame(parseSwaps(captured('kernel-6.12', 'swaps')), [
    { name: '/dev/vde', type: 'partition', sizeBytes: 1048572 * 1024, usedBytes: 17772 * 1024, priority: -2 },
  ]);
});

void t.test('no swap is no devices', async (t) => {
  t.strictSame(parseSwaps('Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n'), []);
});

void t.test('undoes the escapes of names', async (t) => {
  const [device] = parseSwaps('/swap\\040file\\134\\303\\244\\040(deleted)   file\t\t1024\t\t0\t\t5\n');
  t.equal(device?.name, '/swap file\\\xc3\xa4 (deleted)');
});

void t.test("reads the machine's swap from /proc/meminfo", async (t) => {
  t.strictSame(parseMachineSwap(captured('kernel-6.12', 'meminfo')), {
    totalBytes: 1048572 * 1024,
    freeBytes: 1030800 * 1024,
  });
  t.strictSame(parseMachineSwap('MemTotal: 5 kB\n'), { totalBytes: 0, freeBytes: 0 });
});

void t.test('never throws, and gives counts only, whatever the text', async () => {
  fc.assert(
    fc.property(fc.oneof(anyBytes, damaged(captured('kernel-6.12', 'swaps'))), (text) =>
      parseSwaps(text).every(({ sizeBytes, usedBytes }) => hasOnlyCounts([sizeBytes, usedBytes])),
    ),
  );
  fc.assert(
    fc.property(fc.oneof(anyBytes, damaged(captured('kernel-6.12', 'meminfo'))), (text) =>
      hasOnlyCounts(parseMachineSwap(text)),
    ),
  );
});
