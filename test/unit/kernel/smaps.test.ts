import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { HoldingMappingParser, ReferencedFileParser } from '../../../src/kernel/smaps.js';
import type { AddressRange } from '../../../src/kernel/pagemap.js';
import { anyBytes, damaged, hasOnlyCounts, pieces } from './arbitrary-text.js';
import { captured, CAPTURED_KERNELS } from './fixtures.js';

function swappedMappings(...text: string[]): AddressRange[] {
  const parser = new HoldingMappingParser('swapped');
  const mappings = text.flatMap((piece) => parser.push(piece));
  return [...mappings, ...parser.end()];
}

function mapping(range: string, swapKb: number, flags: string): string {
  return `${range} rw-p 00000000 00:00 0 \nRss:                  64 kB\nSwap:                 ${swapKb} kB\nSwapPss:              ${swapKb} kB\nVmFlags: ${flags}\n`;
}

for (const kernel of CAPTURED_KERNELS) {
  void t.test(`finds every mapping with swapped pages, and no other, on ${kernel}`, async (t) => {
    const text = captured(kernel, 'smaps');
    const swapped = Array.from(text.matchAll(/^Swap: +(\d+) kB$/gm)).filter(([, kb]) => kb !== '0');
    const mappings = swappedMappings(text);
    t.ok(mappings.length > 0);
    t.equal(mappings.length, swapped.length);
    t.ok(mappings.some(({ start }) => start === parseInt(captured(kernel, 'pagemap-start'), 16)));
  });
}

void t.test('finds the mappings that have pages in memory as well', async (t) => {
  const parser = new HoldingMappingParser('resident');
  const empty = mapping('1000-2000', 4, 'rd').replace('Rss:                  64', 'Rss:   0');
  const held = parser.push(empty + mapping('3000-4000', 0, 'rd') + mapping('5000-6000', 0, 'rd io'));
  t.strictSame([...held, ...parser.end()], [{ start: 0x3000, end: 0x4000 }]);
});

void t.test('gives the range of a mapping', async (t) => {
  t.strictSame(swappedMappings(mapping('7f0000000000-7f0000010000', 4, 'rd wr mr')), [
    { start: 0x7f0000000000, end: 0x7f0000010000 },
  ]);
});

void t.test('passes over a mapping whose SwapPss alone is not 0', async (t) => {
  t.strictSame(swappedMappings(mapping('1000-2000', 4, 'rd').replace('Swap:                 4', 'Swap:  0')), []);
});

void t.test('never names memory of devices or bare page frames, nor addresses beyond exact numbers', async (t) => {
  t.strictSame(swappedMappings(mapping('1000-2000', 4, 'rd wr io de'), mapping('3000-4000', 4, 'rd pf')), []);
  t.strictSame(swappedMappings(mapping('ffffffffff600000-ffffffffff601000', 4, 'ex')), []);
  t.equal(
    swappedMappings(mapping('1000-2000', 4, 'rd io'), mapping('3000-4000', 4, 'rd')).length,
    1,
    'the next one is its own',
  );
});

void t.test('a name of a file cannot pass for a line of sizes', async (t) => {
  const named = mapping('1000-2000', 0, 'rd').replace('00:00 0 ', '00:00 7 /tmp/x\\012Swap: 4 kB');
  t.strictSame(swappedMappings(named), []);
});

void t.test('gives the same whatever pieces the text comes in', async () => {
  const text = captured('kernel-6.12', 'smaps').slice(0, 20000);
  const whole = swappedMappings(text);
  fc.assert(fc.property(pieces(text), (cut) => isDeepStrictEqual(swappedMappings(...cut), whole)));
});

void t.test('never throws, and gives ranges only, whatever the text', async () => {
  const text = captured('kernel-6.12', 'smaps').slice(0, 5000);
  fc.assert(
    fc.property(fc.oneof(anyBytes, damaged(text)), (smaps) => {
      const mappings = swappedMappings(smaps);
      return hasOnlyCounts(mappings) && mappings.every(({ start, end }) => start < end);
    }),
  );
});

void t.test(
  'used page cache: what of mappings of files page tables show as used, its part of what is shared',
  async (t) => {
    const mapping = (line: string, sizes: Record<string, number>, flags = 'rd mr'): string =>
      `${line}\n${Object.entries(sizes)
        .map(([name, kib]) => `${name}: ${kib} kB\n`)
        .join('')}VmFlags: ${flags}\n`;
    const text = [
      mapping('7f00-7f80 r--s 00000000 fe:00 1234                       /srv/data', {
        Rss: 100,
        Pss: 100,
        Referenced: 60,
        Anonymous: 0,
      }),
      mapping('7f80-7fc0 r-xp 00000000 fe:00 77                         /usr/lib/libc.so.6', {
        Rss: 80,
        Pss: 20,
        Referenced: 80,
        Anonymous: 0,
      }),
      mapping('8000-8010 rw-p 00000000 fe:00 1235                       /srv/private', {
        Rss: 40,
        Pss: 40,
        Referenced: 40,
        Anonymous: 30,
      }),
      // mlocked: its accessed bits are never cleared.
      mapping(
        '8008-8010 r--s 00000000 fe:00 1236                       /srv/locked',
        { Rss: 90, Pss: 90, Referenced: 90, Anonymous: 0 },
        'rd mr mw lo',
      ),
      mapping('8010-8020 rw-p 00000000 00:00 0                          [heap]', {
        Rss: 500,
        Pss: 500,
        Referenced: 500,
        Anonymous: 500,
      }),
      mapping('8020-8030 rw-s 00000000 00:01 9                          /memfd:shared (deleted)', {
        Rss: 70,
        Pss: 70,
        Referenced: 70,
        Anonymous: 0,
      }),
    ].join('');
    const parser = new ReferencedFileParser();
    for (let at = 0; at < text.length; at += 33) parser.push(text.slice(at, at + 33));
    t.equal(parser.end(), (60 + 20 + 10) * 1024);
  },
);

for (const kernel of CAPTURED_KERNELS)
  void t.test(`used page cache: no more than ${kernel} has of it in the mapping`, async (t) => {
    const text = captured(kernel, 'smaps');
    const parser = new ReferencedFileParser();
    parser.push(text);
    const bytes = parser.end();
    const most = [...text.matchAll(/^Pss: +(\d+) kB$/gm)].reduce((sum, [, kib]) => sum + Number(kib) * 1024, 0);
    t.ok(bytes > 0 && bytes < most, `${bytes} of ${most} bytes`);
  });
