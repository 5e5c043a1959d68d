import fc from 'fast-check';
import t from 'tap';
import { isIdleAt, setIdleAt } from '../../../src/kernel/idle-bitmap.js';
import { frameFlag, PageFrames } from '../../../src/kernel/page-frames.js';
import { capturedBytes } from './fixtures.js';

void t.test('a real bitmap agrees with the idle flag of the same frames', async (t) => {
  const frames = new PageFrames(1024);
  frames.flagBytes.set(capturedBytes('kernel-tracking', 'kpageflags'));
  const bitmap = capturedBytes('kernel-tracking', 'idle-bitmap');
  const marked = Array.from({ length: 1024 }, (_, index) => index).filter((index) => isIdleAt(bitmap, index));
  t.ok(marked.length > 512, `${marked.length} marked`);
  const isUsers = (index: number): boolean => (frames.flagsAt(index) & frameFlag.lru) !== 0;
  t.ok(marked.every(isUsers), 'only pages on LRU lists are ever marked');
});

void t.test('marks the frames it is told and no others', async () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat({ max: 191 })), (frames) => {
      const bitmap = new Uint8Array(24);
      for (const frame of frames) setIdleAt(bitmap, frame);
      return Array.from({ length: 192 }, (_, frame) => frame).every(
        (frame) => isIdleAt(bitmap, frame) === frames.includes(frame),
      );
    }),
  );
});
