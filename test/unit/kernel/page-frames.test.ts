import fc from 'fast-check';
import t from 'tap';
import { frameFlag, PageFrames } from '../../../src/kernel/page-frames.js';
import { captured, capturedBytes } from './fixtures.js';

const capacity = 1024;

for (const kernel of ['kernel-6.12', 'kernel-7.2', 'kernel-tracking'] as const) {
  const frames = new PageFrames(capacity);
  frames.flagBytes.set(capturedBytes(kernel, 'kpageflags'));
  frames.memcgBytes.set(capturedBytes(kernel, 'kpagecgroup'));
  const inode = Number(captured(kernel, 'kpage-memcg'));
  const own = Array.from({ length: capacity }, (_, index) => index).filter((index) => frames.memcgAt(index) === inode);
  const has = (index: number, flag: number): boolean => (frames.flagsAt(index) & flag) !== 0;

  void t.test(`${kernel}: finds the frames of a memcg by its inode`, async (t) => {
    t.ok(own.length > capacity / 2, `${own.length} of ${capacity}`);
    t.ok(own.filter((index) => has(index, frameFlag.lru)).length > own.length * 0.9, 'on LRU lists');
  });

  void t.test(`${kernel}: tells anonymous memory from page cache that was read and is not mapped`, async (t) => {
    const pages = own.filter((index) => has(index, frameFlag.lru));
    const anon = pages.filter((index) => has(index, frameFlag.swapBacked));
    const cache = pages.filter((index) => !has(index, frameFlag.swapBacked) && !has(index, frameFlag.mapped));
    t.ok(anon.length > 0 && anon.every((index) => has(index, frameFlag.anon)), `${anon.length} anon`);
    t.ok(cache.length > 0 && cache.every((index) => !has(index, frameFlag.anon)), `${cache.length} page cache`);
    const read = cache.filter((index) => has(index, frameFlag.referenced));
    t.ok(read.length > cache.length * 0.7, `${read.length} of them read, the others only read ahead`);
  });
}

void t.test('what is put in comes out, inodes beyond 32 bits too', async () => {
  const frames = new PageFrames(3);
  fc.assert(
    fc.property(
      fc.nat({ max: 0xffff_ffff }),
      fc.nat({ max: Number.MAX_SAFE_INTEGER }),
      fc.nat({ max: 2 }),
      (flags, inode, at) => {
        frames.set(at, flags, inode);
        return frames.flagsAt(at) === flags && frames.memcgAt(at) === inode;
      },
    ),
  );
});

void t.test('a frame past the end is nothing', async (t) => {
  const frames = new PageFrames(1);
  t.equal(frames.flagsAt(1), 0);
  t.equal(frames.memcgAt(1), 0);
});
