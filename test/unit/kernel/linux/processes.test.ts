import { readFileSync } from 'node:fs';
import t from 'tap';
import type { Kernel } from '../../../../src/kernel/kernel.js';
import { kernelPaths } from '../../../../src/kernel/linux/paths.js';
import { LinuxProcesses } from '../../../../src/kernel/linux/processes.js';
import type { AddressRange } from '../../../../src/kernel/pagemap.js';
import { capturedBytes } from '../fixtures.js';
import { auxiliaryVector, machine } from './machine.js';

const PAGE_BYTES = 4096;
const SWAPPED = 1n << 62n;
const PRESENT = 1n << 63n;

function mapping(firstPage: number, endPage: number, swapKb: number): string {
  const [start, end] = [firstPage, endPage].map((page) => (page * PAGE_BYTES).toString(16).padStart(8, '0'));
  return `${start}-${end} rw-p 00000000 00:00 0 \nSwap:                 ${swapKb} kB\nVmFlags: rd wr mr mw me ac \n`;
}

function pagemap(entries: readonly bigint[]): Buffer {
  return Buffer.from(BigUint64Array.from(entries).buffer);
}

async function swappedRanges(kernel: Kernel, pid: number): Promise<AddressRange[]> {
  const ranges: AddressRange[] = [];
  for await (const range of kernel.processes.swappedRanges(pid)) ranges.push(range);
  return ranges;
}

function pages(first: number, end: number): AddressRange {
  return { start: first * PAGE_BYTES, end: end * PAGE_BYTES };
}

void t.test('finds swapped pages in the mappings that have any, neighbouring mappings joined', async (t) => {
  const { kernel } = machine(t, {
    proc: {
      12: {
        smaps: mapping(1, 3, 4) + mapping(3, 5, 4) + mapping(6, 7, 0) + mapping(8, 9, 4),
        pagemap: pagemap([0n, PRESENT, SWAPPED, SWAPPED, PRESENT, 0n, SWAPPED, 0n, SWAPPED]),
      },
    },
  });
  t.strictSame(await swappedRanges(kernel, 12), [pages(2, 4), pages(8, 9)]);
});

void t.test('joins what lies across two reads of pagemap', async (t) => {
  const count = 3 * 65536 + 10;
  const { kernel } = machine(t, {
    proc: { 12: { smaps: mapping(0, count, 4), pagemap: pagemap(Array<bigint>(count).fill(SWAPPED)) } },
  });
  t.strictSame(await swappedRanges(kernel, 12), [pages(0, count)]);
});

void t.test('a process that is gone, or goes meanwhile, has no ranges (more)', async (t) => {
  const { kernel } = machine(t, {
    proc: { 12: { smaps: mapping(1, 3, 8) }, 13: { smaps: mapping(1, 3, 8), pagemap: pagemap([0n, SWAPPED]) } },
  });
  t.strictSame(await swappedRanges(kernel, 99), []);
  t.strictSame(await swappedRanges(kernel, 12), [], 'gone before pagemap was opened');
  t.strictSame(await swappedRanges(kernel, 13), [pages(1, 2)], 'pagemap ends');
});

void t.test('a process that may not be looked at is an error', async (t) => {
  const { kernel } = machine(t, { proc: { 12: { smaps: {}, mem: {} } } });
  const refused = { code: 'KERNEL_REFUSED', cause: { code: 'EISDIR' }, message: /process 12/ };
  await t.rejects(swappedRanges(kernel, 12), refused);
  await t.rejects(kernel.processes.populate(12, pages(0, 1)), refused);
});

void t.test('reads the whole of a range, however large', async (t) => {
  const bytes = 3 * 2 ** 20 + 5 * PAGE_BYTES;
  const { kernel } = machine(t, { proc: { 12: { mem: Buffer.alloc(bytes + 10 * PAGE_BYTES) } } });
  t.equal(await kernel.processes.populate(12, { start: PAGE_BYTES, end: bytes }), bytes - PAGE_BYTES);
});

void t.test('says how far it came when the memory ends, or the process is gone', async (t) => {
  const { kernel } = machine(t, { proc: { 12: { mem: Buffer.alloc(3 * PAGE_BYTES) } } });
  t.equal(await kernel.processes.populate(12, pages(1, 10)), 2 * PAGE_BYTES);
  t.equal(await kernel.processes.populate(99, pages(1, 10)), 0);
});

void t.test('on this machine: what is mapped is read, what is not ends it', async (t) => {
  const paths = kernelPaths({ procRoot: '/proc', sysRoot: '/sys', debugfsRoot: '/sys/kernel/debug' });
  const processes = new LinuxProcesses(paths, PAGE_BYTES);
  const [, start = '', end = ''] = /^([0-9a-f]+)-([0-9a-f]+) r/m.exec(readFileSync('/proc/self/maps', 'latin1')) ?? [];
  const mapped = { start: parseInt(start, 16), end: parseInt(end, 16) };
  t.equal(await processes.populate(process.pid, mapped), mapped.end - mapped.start);
  t.equal(await processes.populate(process.pid, pages(0, 4)), 0);
});

void t.test('the page size is that of the machine', async (t) => {
  const pageBytes = (auxv: Buffer): number => machine(t, { proc: { self: { auxv } } }).kernel.pageBytes;
  t.equal(pageBytes(auxiliaryVector(65536)), 65536);
  t.equal(pageBytes(capturedBytes('kernel-6.12', 'auxv')), 4096);
});
