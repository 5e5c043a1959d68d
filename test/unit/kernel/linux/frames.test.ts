import t from 'tap';
import { frameFlag, PageFrames } from '../../../../src/kernel/page-frames.js';
import { captured, capturedBytes } from '../fixtures.js';
import { machine } from './machine.js';

const proc = {
  kpageflags: capturedBytes('kernel-6.12', 'kpageflags'),
  kpagecgroup: capturedBytes('kernel-6.12', 'kpagecgroup'),
};

void t.test('page frames: counts as many as the files have', async (t) => {
  const { kernel } = machine(t, { proc });
  t.equal(await kernel.pageFrames.obstacle(), undefined);
  t.equal(await kernel.pageFrames.count(), 1024);
});

void t.test('page frames: reads a slice from its place, fewer at the end and none past it', async (t) => {
  const { kernel } = machine(t, { proc });
  const all = new PageFrames(1024);
  t.equal(await kernel.pageFrames.read(0, all), 1024);
  for (const capacity of [64, 512]) {
    const slice = new PageFrames(capacity);
    t.equal(await kernel.pageFrames.read(1000, slice), 24);
    t.equal(slice.flagsAt(3), all.flagsAt(1003));
    t.equal(slice.memcgAt(3), all.memcgAt(1003));
    t.equal(await kernel.pageFrames.read(1024, slice), 0);
  }
  const inode = Number(captured('kernel-6.12', 'kpage-memcg'));
  t.ok(Array.from({ length: 1024 }, (_, index) => all.memcgAt(index)).includes(inode));
  t.ok(Array.from({ length: 1024 }, (_, index) => all.flagsAt(index)).some((flags) => flags & frameFlag.mapped));
});

void t.test('page frames: says which file a kernel lacks', async (t) => {
  const { kernel } = machine(t, { proc: { kpageflags: proc.kpageflags } });
  t.match(await kernel.pageFrames.obstacle(), /kpagecgroup.*CONFIG_MEMCG/);
  await t.rejects(kernel.pageFrames.read(0, new PageFrames(64)), { code: 'KERNEL_REFUSED' });
});

void t.test('idle pages: reads marks from their place, and writes them back to it', async (t) => {
  const { kernel, file } = machine(t, {
    sys: { kernel: { mm: { page_idle: { bitmap: capturedBytes('kernel-tracking', 'idle-bitmap') } } } },
  });
  t.equal(await kernel.idlePages.obstacle(), undefined);
  const marks = new Uint8Array(8);
  await kernel.idlePages.read(128, marks);
  t.strictSame([...marks], [...capturedBytes('kernel-tracking', 'idle-bitmap').subarray(16, 24)]);
  await kernel.idlePages.mark(64, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  await kernel.idlePages.read(64, marks);
  t.strictSame([...marks], [1, 2, 3, 4, 5, 6, 7, 8], file('sys/kernel/mm/page_idle/bitmap'));
  await kernel.idlePages.read(1 << 20, marks);
  t.strictSame([...marks], [0, 0, 0, 0, 0, 0, 0, 0], 'nothing is marked past the end');
});

void t.test('idle pages: says what the kernel lacks', async (t) => {
  const { kernel } = machine(t);
  t.match(await kernel.idlePages.obstacle(), /CONFIG_IDLE_PAGE_TRACKING/);
  await t.rejects(kernel.idlePages.read(0, new Uint8Array(8)), { code: 'KERNEL_REFUSED' });
  await t.rejects(kernel.idlePages.mark(0, new Uint8Array(8)), { code: 'KERNEL_REFUSED' });
});
