import t from 'tap';
import { inSlices } from '../../../src/engine/slices.js';

void t.test('everything is done in order, and other work has its turn in between', async (t) => {
  const done: number[] = [];
  let turns = 0;
  let working = true;
  const others = async (): Promise<void> => {
    while (working) {
      turns++;
      await new Promise((resume) => setImmediate(resume));
    }
  };
  const other = others();
  const numbers = Array.from({ length: 5000 }, (_, index) => index);
  await inSlices(numbers, (number) => done.push(number));
  working = false;
  await other;
  t.same(done, numbers);
  t.ok(turns >= 20, `${turns} turns`);
});

void t.test('what the work throws ends it', async (t) => {
  await t.rejects(
    inSlices([1, 2], () => {
      throw new Error('no more');
    }),
    { message: 'no more' },
  );
});
