import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import type { Kernel, MappedFrames } from '../../../../src/kernel/kernel.js';
import { kernelPaths } from '../../../../src/kernel/linux/paths.js';
import { LinuxPageOut } from '../../../../src/kernel/linux/page-out.js';
import { machine } from './machine.js';

const PAGE_BYTES = 4096;
const PRESENT = 1n << 63n;

function mapping(firstPage: number, endPage: number, residentKb: number): string {
  const [start, end] = [firstPage, endPage].map((page) => (page * PAGE_BYTES).toString(16).padStart(8, '0'));
  return `${start}-${end} rw-p 00000000 00:00 0 \nRss:                 ${residentKb} kB\nVmFlags: rd wr mr mw me ac \n`;
}

function pagemap(...entries: bigint[]): Buffer {
  return Buffer.from(BigUint64Array.from(entries).buffer);
}

async function frames(kernel: Pick<Kernel, 'pageOut'>, pid: number): Promise<MappedFrames[]> {
  const found: MappedFrames[] = [];
  for await (const one of kernel.pageOut.frames(pid)) found.push(one);
  return found;
}

void t.test('tells where the pages of mappings that have any are', async (t) => {
  const { kernel } = machine(t, {
    proc: {
      12: {
        smaps: mapping(1, 3, 4) + mapping(3, 4, 0) + mapping(4, 5, 4),
        pagemap: pagemap(0n, PRESENT | 5n, 0n, PRESENT | 6n, PRESENT | 7n),
      },
    },
  });
  t.same(await frames(kernel, 12), [
    { start: PAGE_BYTES, pfns: Float64Array.of(5, -1) },
    { start: 4 * PAGE_BYTES, pfns: Float64Array.of(7) },
  ]);
});

void t.test('a process that is gone has no memory; one that may not be looked at is an error', async (t) => {
  const { kernel } = machine(t, { proc: { 12: { smaps: mapping(1, 3, 8) }, 13: { smaps: {} } } });
  t.same(await frames(kernel, 99), []);
  t.same(await frames(kernel, 12), [], 'gone before pagemap was opened');
  await t.rejects(frames(kernel, 13), { code: 'KERNEL_REFUSED', message: /process 13/ });
});

// Nothing is sent out on this machine: there is nothing where it is asked for.
void t.test('on this machine', async (t) => {
  const paths = kernelPaths({ procRoot: '/proc', sysRoot: '/sys', debugfsRoot: '/sys/kernel/debug' });
  const pageOut = new LinuxPageOut(paths, PAGE_BYTES);
  const obstacle = await pageOut.obstacle();
  if (obstacle !== undefined) {
    t.match(obstacle, /process_madvise|CAP_SYS_NICE|koffi/);
    return;
  }

  await t.test('ranges where nothing is mapped are passed over, however many', async (t) => {
    // Nobody maps the lowest addresses.
    const unmapped = Array.from({ length: 2500 }, () => ({ start: PAGE_BYTES, end: 2 * PAGE_BYTES }));
    t.equal(await pageOut.pageOut(process.pid, unmapped), 2500, 'none of them is in memory');
  });

  await t.test('nothing happens where the process is gone', async (t) => {
    const gone = spawn('true');
    await once(gone, 'exit');
    t.ok(gone.pid);
    t.equal(await pageOut.pageOut(gone.pid ?? 0, [{ start: PAGE_BYTES, end: 2 * PAGE_BYTES }]), 0);
  });
});
