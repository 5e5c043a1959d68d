import fc from 'fast-check';
import t from 'tap';
import {
  countLook,
  frameSample,
  framesPerBlock,
  isSettled,
  known,
  resampled,
  settledLooks,
  strideFor,
} from '../../../src/engine/frame-sample.js';

void t.test('a sample of stride 1 is all of memory', async (t) => {
  t.strictSame(
    [...frameSample(4 * framesPerBlock, 1).firstPfns],
    [0, 1, 2, 3].map((block) => block * framesPerBlock),
  );
  t.strictSame([...frameSample(0, 1).firstPfns], []);
});

void t.test('a stride is as small as the number of frames allows', async (t) => {
  t.equal(strideFor(1000, 1000), 1);
  t.equal(strideFor(1001, 1000), 2);
  t.equal(strideFor(9000, 1000), 16);
});

void t.test('another stride keeps what is known of frames that both have, and knows nothing of others', async () => {
  const strides = fc.nat({ max: 5 }).map((power) => 2 ** power);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20_000 }), strides, strides, (frameCount, stride, other) => {
      const sample = frameSample(frameCount, stride);
      for (const [block, firstPfn] of sample.firstPfns.entries()) {
        sample.owner[block * framesPerBlock] = firstPfn + 1;
        sample.known[block * framesPerBlock] = known.there;
      }
      const again = resampled(sample, frameCount, other);
      return again.firstPfns.every((firstPfn, block) => {
        const both = sample.firstPfns.includes(firstPfn);
        const at = block * framesPerBlock;
        return again.owner[at] === (both ? firstPfn + 1 : 0) && again.known[at] === (both ? known.there : known.unseen);
      });
    }),
  );
});

void t.test('blocks that join a sample later count in it once as much is known of them as counts', async (t) => {
  let sample = frameSample(8 * framesPerBlock, 4);
  const settled = (): boolean[] => [...sample.firstPfns.keys()].map((block) => isSettled(sample, block));
  countLook(sample);
  t.strictSame(settled(), [true, true], 'all of the first ones from the first look');
  sample = resampled(sample, 8 * framesPerBlock, 2);
  t.strictSame(settled(), [true, false, true, false]);
  for (let look = 1; look < settledLooks; look++) countLook(sample);
  t.strictSame(settled(), [true, false, true, false]);
  countLook(sample);
  t.strictSame(settled(), [true, true, true, true]);
});
