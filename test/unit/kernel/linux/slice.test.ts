import t from 'tap';
import { Slice } from '../../../../src/kernel/linux/slice.js';

void t.test('a slice is over after its time', async (t) => {
  t.ok(new Slice(0).isOver);
  t.notOk(new Slice(3_600_000).isOver);
});

void t.test('the next one begins after other work had its turn', async (t) => {
  const slice = new Slice(20);
  while (!slice.isOver);
  let done = false;
  setImmediate(() => (done = true));
  await slice.next();
  t.ok(done);
});
