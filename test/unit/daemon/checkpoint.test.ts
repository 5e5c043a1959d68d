import fc from 'fast-check';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';
import { Checkpoint } from '../../../src/daemon/checkpoint.js';
import type { WriteOutcome } from '../../../src/fuse/dev-fuse/continuity.js';

function newFile(t: Test): number {
  const descriptor = openSync(join(t.testdir(), 'checkpoint'), 'w+');
  t.teardown(() => closeSync(descriptor));
  return descriptor;
}

void t.test('the first daemon inherits nothing', async (t) => {
  const file = newFile(t);
  t.match(new Checkpoint(file, 0), { inheritedState: undefined, inheritedPollers: [], incarnation: 0 });
  t.equal(new Checkpoint(file, 1).inheritedState, undefined, 'nor one after a daemon that left nothing');
});

void t.test('the next one inherits the state, and how far the last one got with its writes', async (t) => {
  const file = newFile(t);
  const first = new Checkpoint(file, 0);
  let state = 'before\n';
  first.keep(() => state);
  first.begun(2);
  first.begun(4);
  state = 'größe \xff\n';
  first.ended(4, { count: 7 });
  first.ended(6, { errno: 22 });

  const second = new Checkpoint(file, 1);
  t.equal(second.inheritedState, 'größe \xff\n');
  t.same(
    [...second.inheritedWrites],
    [
      [2, 'begun'],
      [4, { count: 7 }],
      [6, { errno: 22 }],
    ],
  );
});

void t.test('a write that was answered is forgotten; one that is not is handed on', async (t) => {
  const file = newFile(t);
  const first = new Checkpoint(file, 0);
  first.ended(2, { count: 1 });
  first.ended(4, { count: 1 });
  first.answered(4);
  first.save();
  const second = new Checkpoint(file, 1);
  t.same([...second.inheritedWrites.keys()], [2]);
  second.save();
  const third = new Checkpoint(file, 2);
  t.same([...third.inheritedWrites.keys()], [2], 'the second one was killed before it was asked');
  third.answered(2);
  third.save();
  t.same([...new Checkpoint(file, 3).inheritedWrites.keys()], []);
});

void t.test('who polls is handed on a moment later, the request in hand at once', async (t) => {
  const file = newFile(t);
  const first = new Checkpoint(file, 0);
  first.keep(() => '');
  first.polled([1]);
  first.polled([1, 3]);
  first.taken(2 ** 52);
  await sleep(50);
  const second = new Checkpoint(file, 1);
  t.match(second, { inheritedPollers: [1, 3], inheritedTaken: 2 ** 52 });
  second.keep(() => '');
  t.match(new Checkpoint(file, 2), { inheritedPollers: [1, 3] }, 'the second one was killed before it woke them');
  second.polled([5]);
  await sleep(50);
  t.match(new Checkpoint(file, 2), { inheritedPollers: [5] });
});

void t.test('a text that was not written to its end does not count', async (t) => {
  const file = newFile(t);
  const first = new Checkpoint(file, 0);
  first.keep(() => 'whole');
  first.ended(2, { count: 1 });
  // What a third save had begun, in the place of the first.
  writeSync(file, 'x'.repeat(10), 2 ** 30);
  const second = new Checkpoint(file, 1);
  t.equal(second.inheritedState, 'whole');
  t.same([...second.inheritedWrites.keys()], [2]);
});

void t.test('whatever it was told before each restart, the next one knows it', async (t) => {
  const outcome = fc.oneof(
    fc.constantFrom<WriteOutcome>('begun', 'waiting'),
    fc.record({ count: fc.nat(4096) }),
    fc.record({ errno: fc.nat(133) }),
  );
  const life = fc.array(fc.tuple(fc.nat(2 ** 31), outcome, fc.string({ unit: 'grapheme' }), fc.boolean()), {
    maxLength: 8,
  });
  const property = fc.property(fc.array(life, { maxLength: 4 }), (lives) => {
    const file = openSync(join(t.testdir(), 'lives'), 'w+');
    const expected = new Map<number, WriteOutcome>();
    let state = '';
    for (const [incarnation, writes] of lives.entries()) {
      const checkpoint = new Checkpoint(file, incarnation);
      t.same(checkpoint.inheritedWrites, expected);
      t.equal(checkpoint.inheritedState ?? '', state);
      checkpoint.keep(() => state);
      for (const [unique, outcome, newState, isAnswered] of writes) {
        state = newState;
        checkpoint.ended(unique, outcome);
        expected.delete(unique);
        if (isAnswered) checkpoint.answered(unique);
        else expected.set(unique, outcome);
      }
      checkpoint.save();
    }
    closeSync(file);
  });
  fc.assert(property, { numRuns: 100 });
});

void t.test('a text in another form is left aside, and the next one is written', async (t) => {
  const file = newFile(t);
  const first = new Checkpoint(file, 0);
  first.keep(() => 'state');
  for (const place of [4096, 2 ** 30]) writeSync(file, '{"form": 2}\n', place);
  const second = new Checkpoint(file, 1);
  t.match(second, { inheritedState: undefined, inheritedPollers: [], unreadable: /writes/ });
  t.same([...second.inheritedWrites], []);
  second.keep(() => 'new');
  t.match(new Checkpoint(file, 2), { inheritedState: 'new', unreadable: undefined });
});
