import fc from 'fast-check';
import t from 'tap';
import { framesPerBlock, sampledBlocks } from '../../../src/engine/frame-sample.js';

void t.test('takes all of a small memory', async (t) => {
  t.strictSame(
    [...sampledBlocks(4 * framesPerBlock, 1_000_000)],
    [0, 1, 2, 3].map((block) => block * framesPerBlock),
  );
  t.strictSame([...sampledBlocks(0, 1_000_000)], []);
});

void t.test('takes blocks from all parts of a large one, none twice, no more than it may', async () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5_000_000 }),
      fc.integer({ min: framesPerBlock, max: 300_000 }),
      (frames, most) => {
        const blocks = sampledBlocks(frames, most);
        const part = Math.ceil(frames / framesPerBlock) / blocks.length;
        return (
          blocks.length * framesPerBlock <= Math.max(most, framesPerBlock) &&
          blocks.every((first, index) => {
            const block = first / framesPerBlock;
            return (
              Number.isInteger(block) && block >= Math.floor(index * part) && block < Math.ceil((index + 1) * part)
            );
          })
        );
      },
    ),
  );
});
