import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { writable as writableNode } from './nodes.js';
import type { WriteContext } from '../../../src/files/control-file.js';
import { writable } from '../../../src/tree/open-file.js';
import { type WritableFile, Writes } from '../../../src/tree/writes.js';

/** A file whose writes end when the test says so; it notes what begins. */
function heldFile(identity: string): {
  file: WritableFile;
  begun: string[];
  end: (text: string, error?: Error) => Promise<void>;
} {
  const begun: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const apply = (text: string): Promise<void> => {
    begun.push(text);
    return new Promise((resolve, reject) => ends.set(text, (error) => (error ? reject(error) : resolve())));
  };
  return {
    file: writable(writableNode(identity, apply)),
    begun,
    async end(text, error) {
      ends.get(text)?.(error);
      await turn();
    },
  };
}

void t.test('writes to one file are applied one after the other, in the order they came', async (t) => {
  const { file, begun, end } = heldFile('a');
  const writes = new Writes();
  const all = Promise.all(['1', '2', '3'].map((text) => writes.apply(file, text)));
  await turn();
  t.same(begun, ['1']);
  t.equal(writes.inProgress, 3);
  await end('1');
  t.same(begun, ['1', '2']);
  await end('2');
  await end('3');
  await all;
  t.same(begun, ['1', '2', '3']);
  t.equal(writes.inProgress, 0);
});

void t.test('the same file is known by its identity, not by its object', async (t) => {
  const first = heldFile('same');
  const second = heldFile('same');
  const writes = new Writes();
  const all = [writes.apply(first.file, '1'), writes.apply(second.file, '2')];
  await turn();
  t.same(second.begun, []);
  await first.end('1');
  t.same(second.begun, ['2']);
  await second.end('2');
  await Promise.all(all);
});

void t.test('writes to different files go side by side', async (t) => {
  const a = heldFile('a');
  const b = heldFile('b');
  const writes = new Writes();
  const all = [writes.apply(a.file, '1'), writes.apply(b.file, '1')];
  await turn();
  t.same([a.begun, b.begun], [['1'], ['1']]);
  await b.end('1');
  await a.end('1');
  await Promise.all(all);
});

void t.test('a write that fails lets the next one through', async (t) => {
  const { file, begun, end } = heldFile('a');
  const writes = new Writes();
  const first = writes.apply(file, '1');
  const second = writes.apply(file, '2');
  await turn();
  await Promise.all([t.rejects(first, { message: 'no' }), end('1', new Error('no'))]);
  t.same(begun, ['1', '2']);
  await end('2');
  await second;
});

void t.test(
  'a write interrupted while it waits ends at once, and the ones behind it still wait for those before',
  async (t) => {
    const { file, begun, end } = heldFile('a');
    const writes = new Writes();
    const interrupt = new AbortController();
    const first = writes.apply(file, '1');
    const second = writes.apply(file, '2', { signal: interrupt.signal });
    const third = writes.apply(file, '3');
    await turn();
    interrupt.abort();
    await t.rejects(second, { code: 'CANCELLED', errno: 'EINTR' });
    await turn();
    t.same(begun, ['1'], 'the third one does not overtake the first');
    await end('1');
    t.same(begun, ['1', '3']);
    await end('3');
    await Promise.all([first, third]);
  },
);

void t.test('an interruption reaches the write that is being applied, and only that', async (t) => {
  const signals: AbortSignal[] = [];
  const untilAborted = (_text: string, { signal }: WriteContext): Promise<void> => {
    signals.push(signal);
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
  };
  const writes = new Writes();
  const interrupt = new AbortController();
  const first = writes.apply(writable(writableNode('a', untilAborted)), '1', { signal: interrupt.signal });
  const other = writes.apply(writable(writableNode('b', untilAborted)), '1');
  await turn();
  interrupt.abort();
  await first;
  t.same(
    signals.map(({ aborted }) => aborted),
    [true, false],
  );
  await Promise.all([other, writes.close()]);
});

void t.test('a write may have a waiter for each memcg, without a warning of a leak', async (t) => {
  const warnings: Error[] = [];
  const note = (warning: Error): number => warnings.push(warning);
  process.on('warning', note);
  t.teardown(() => process.off('warning', note));
  const wait = (_text: string, { signal }: WriteContext): Promise<void> => {
    for (let memcg = 0; memcg < 20; memcg++) signal.addEventListener('abort', () => undefined);
    return Promise.resolve();
  };
  await new Writes().apply(writable(writableNode('a', wait)), '1');
  await turn();
  t.same(warnings, []);
});

void t.test('a write interrupted before it came is never applied', async (t) => {
  const { file, begun } = heldFile('a');
  await t.rejects(new Writes().apply(file, '1', { signal: AbortSignal.abort() }), {
    code: 'CANCELLED',
    errno: 'EINTR',
  });
  t.same(begun, []);
});

void t.test('close waits for what cannot be interrupted', async (t) => {
  const { file, end } = heldFile('a');
  const writes = new Writes();
  const first = writes.apply(file, '1');
  const waiting = writes.apply(file, '2');
  await turn();
  let closed = false;
  const closing = writes.close().then(() => (closed = true));
  await t.rejects(waiting, { name: 'ColdpgsError', errno: 'EINTR' });
  await turn();
  t.equal(closed, false);
  await end('1');
  await Promise.all([first, closing]);
  await t.rejects(writes.apply(file, '3'), { code: 'CANCELLED', errno: 'ENODEV' });
});
