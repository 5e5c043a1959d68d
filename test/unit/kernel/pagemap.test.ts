import fc from 'fast-check';
import t from 'tap';
import { framesIn, swappedRangesIn, type AddressRange } from '../../../src/kernel/pagemap.js';
import { captured, capturedBytes, CAPTURED_KERNELS } from './fixtures.js';

const PAGE_BYTES = 4096;
const START = 0x7f0000000000;

const PRESENT = 1n << 63n;
const SWAPPED = 1n << 62n;
const FILE_OR_SHARED = 1n << 61n;
const EXCLUSIVE = 1n << 56n;
const NOTHING = 0n;

function pagemapOf(...entries: bigint[]): Buffer {
  return Buffer.from(BigUint64Array.from(entries).buffer);
}

function pages(first: number, end: number): AddressRange {
  return { start: START + first * PAGE_BYTES, end: START + end * PAGE_BYTES };
}

void t.test('gives each run of swapped pages as one range', async (t) => {
  const entries = pagemapOf(SWAPPED, SWAPPED, NOTHING, PRESENT, SWAPPED | 0x1234n, PRESENT, SWAPPED);
  t.strictSame(swappedRangesIn(entries, START, PAGE_BYTES), [pages(0, 2), pages(4, 5), pages(6, 7)]);
});

void t.test('only the bits for swapped and present count', async (t) => {
  const entries = pagemapOf(
    PRESENT | SWAPPED,
    FILE_OR_SHARED,
    EXCLUSIVE,
    PRESENT | FILE_OR_SHARED,
    SWAPPED | FILE_OR_SHARED,
  );
  t.strictSame(swappedRangesIn(entries, START, PAGE_BYTES), [pages(4, 5)]);
});

void t.test('works on pages of another size', async (t) => {
  t.strictSame(swappedRangesIn(pagemapOf(NOTHING, SWAPPED), 0, 65536), [{ start: 65536, end: 131072 }]);
});

void t.test('passes over half an entry at the end', async (t) => {
  t.strictSame(swappedRangesIn(pagemapOf(NOTHING, SWAPPED).subarray(0, 15), START, PAGE_BYTES), []);
});

for (const kernel of CAPTURED_KERNELS) {
  void t.test(`finds as many pages as smaps counts for the same mapping on ${kernel}`, async (t) => {
    const start = parseInt(captured(kernel, 'pagemap-start'), 16);
    const ranges = swappedRangesIn(capturedBytes(kernel, 'pagemap'), start, PAGE_BYTES);
    const mapping = new RegExp(`^${start.toString(16)}-[^]*?^Swap: +(\\d+) kB`, 'm').exec(captured(kernel, 'smaps'));
    t.equal(totalBytes(ranges), Number(mapping?.[1]) * 1024);
  });
}

void t.test('covers exactly the swapped pages, whatever the entries', async () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })), (entries) => {
      const ranges = swappedRangesIn(pagemapOf(...entries), START, PAGE_BYTES);
      return entries.every((entry, index) => {
        const address = START + index * PAGE_BYTES;
        const covered = ranges.filter(({ start, end }) => start <= address && address < end).length;
        return covered === (entry >> 62n === 1n ? 1 : 0);
      });
    }),
  );
});

function totalBytes(ranges: readonly AddressRange[]): number {
  return ranges.reduce((sum, { start, end }) => sum + end - start, 0);
}

void t.test('gives the page frame of each page in memory, however high, and none for others', async (t) => {
  const highest = 2n ** 55n - 1n;
  const entries = pagemapOf(PRESENT | 7n, SWAPPED | 8n, NOTHING, PRESENT | FILE_OR_SHARED | EXCLUSIVE | (2n ** 33n));
  t.same([...framesIn(entries)], [7, -1, -1, 2 ** 33]);
  t.same([...framesIn(pagemapOf(PRESENT | highest))], [Number(highest)]);
  t.same([...framesIn(entries.subarray(0, 12))], [7], 'what is cut off is passed over');
});
