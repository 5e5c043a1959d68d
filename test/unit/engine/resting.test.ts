import t from 'tap';
import { type CpuReading, Resting } from '../../../src/engine/resting.js';

const siblings = ['/p/a', '/p/b', '/p/c', '/p/d', '/p/e'];

/** CPU time of memcgs in microseconds: what runs adds to its own and to that of all above. Tells what was read. */
class Machine {
  readonly read: string[] = [];
  readonly #usageUs = new Map(['/', '/p', ...siblings].map((path) => [path, 100]));
  readonly resting = new Resting(async (path) => {
    this.read.push(path);
    if (!this.#usageUs.has(path)) throw new Error('It is gone.');
    return this.#usageUs.get(path);
  });
  readonly #before = new Map<string, CpuReading | undefined>();

  runs(path: string): void {
    for (const one of [path, '/p']) this.#usageUs.set(one, (this.#usageUs.get(one) ?? 0) + 1);
  }

  remove(path: string): void {
    this.#usageUs.delete(path);
  }

  /** One round about some memcgs: those that rested since they were asked about before. */
  async rested(paths: readonly string[] = siblings): Promise<string[]> {
    const rested: string[] = [];
    this.read.length = 0;
    await this.resting.begin(paths);
    for (const path of paths) {
      const before = this.#before.get(path);
      const now = await this.resting.read(path, before);
      if (now && now.usageUs === before?.usageUs) rested.push(path);
      this.#before.set(path, now);
    }
    return rested;
  }
}

void t.test('while the parent rests, it is asked and its children are not', async (t) => {
  const machine = new Machine();
  t.same(await machine.rested(), [], 'nothing is known before');
  t.same(machine.read, ['/p', ...siblings]);
  t.same(await machine.rested(), siblings);
  t.same(machine.read, ['/p']);
});

void t.test('one that ran is told from its siblings, and all rest again after it', async (t) => {
  const machine = new Machine();
  await machine.rested();
  machine.runs('/p/b');
  t.same(
    await machine.rested(),
    siblings.filter((path) => path !== '/p/b'),
  );
  t.same(machine.read, ['/p', ...siblings]);
  t.same(await machine.rested(), siblings);
  t.same(machine.read, ['/p']);
});

void t.test('a parent that rests says nothing of a time before it was asked', async (t) => {
  const machine = new Machine();
  await machine.rested(siblings.slice(0, 1));
  t.same(machine.read, ['/p/a'], 'one child is asked itself');
  machine.runs('/p/a');
  t.same(await machine.rested(siblings.slice(1)), []);
  t.same(await machine.rested(), siblings.slice(1));
  t.same(machine.read, ['/p', '/p/a']);
});

void t.test('turns of different siblings: each was asked since the parent rests', async (t) => {
  const machine = new Machine();
  const [first, second] = [siblings.slice(0, 4), siblings.slice(1)];
  await machine.rested(first);
  await machine.rested(second);
  machine.runs('/p/e');
  t.same(await machine.rested(first), first);
  t.same(await machine.rested(second), siblings.slice(1, 4));
  t.same(machine.read, ['/p', '/p/e']);
});

void t.test('a parent that is gone: its children are asked', async (t) => {
  const machine = new Machine();
  await machine.rested();
  machine.remove('/p');
  t.same(await machine.rested(), siblings);
  t.same(machine.read, ['/p', ...siblings]);
});
