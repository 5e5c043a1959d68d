import t from 'tap';
import { sameLineage } from '../../../src/kernel/lineage.js';
import { Turns } from '../../../src/engine/turns.js';

const never = new AbortController().signal;

/** Work on memcgs that a test ends by hand. `log` tells what began, in order. */
class Work {
  readonly log: string[] = [];
  readonly #end = new Map<string, () => void>();

  constructor(private readonly turns: Turns) {}

  /** Asks for a turn on a path. The answer settles when the work was ended, or cancelled. */
  start(path: string, { name = path, signal = never } = {}): Promise<string> {
    return this.turns.run(path, signal, async () => {
      this.log.push(name);
      await new Promise<void>((resolve) => this.#end.set(name, resolve));
      return name;
    });
  }

  /** Ends a piece of work, and lets what waited for it begin. */
  async end(name: string): Promise<void> {
    this.#end.get(name)?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

void t.test('so many run at once; the others wait and come in the order they came', async (t) => {
  const work = new Work(new Turns(4));
  for (const path of ['/1', '/2', '/3', '/4', '/5', '/6', '/7']) void work.start(path);
  t.same(work.log, ['/1', '/2', '/3', '/4']);
  await work.end('/3');
  t.same(work.log.slice(4), ['/5']);
  await work.end('/1');
  await work.end('/5');
  t.same(work.log.slice(4), ['/5', '/6', '/7']);
});

void t.test('work on one memcg is never side by side; work on others overtakes it', async (t) => {
  const work = new Work(new Turns(4));
  void work.start('/a', { name: 'first' });
  void work.start('/a', { name: 'second' });
  void work.start('/a', { name: 'third' });
  void work.start('/b');
  t.same(work.log, ['first', '/b']);
  await work.end('first');
  t.same(work.log, ['first', '/b', 'second']);
  await work.end('second');
  t.same(work.log, ['first', '/b', 'second', 'third']);
});

void t.test('where lineages conflict, a descendant waits for its ancestor and siblings go together', async (t) => {
  const turns = new Turns(Infinity, sameLineage);
  const work = new Work(turns);
  for (const path of ['/a/b', '/a/c', '/a', '/a/b/d', '/e']) void work.start(path);
  t.same(work.log, ['/a/b', '/a/c', '/e']);
  t.ok(turns.isBusy('/a'));
  await work.end('/a/b');
  t.same(work.log, ['/a/b', '/a/c', '/e'], '/a waits for /a/c, and /a/b/d behind /a');
  await work.end('/a/c');
  t.same(work.log.slice(3), ['/a']);
  await work.end('/a');
  t.same(work.log.slice(3), ['/a', '/a/b/d']);
});

void t.test('who is cancelled while waiting never begins, and holds nobody up', async (t) => {
  const work = new Work(new Turns(1));
  const control = new AbortController();
  const running = work.start('/a');
  const waiting = work.start('/b', { signal: control.signal });
  const behind = work.start('/c');
  control.abort();
  await t.rejects(waiting, { code: 'CANCELLED', errno: 'EINTR', message: /\/b/ });
  await work.end('/a');
  t.equal(await running, '/a');
  t.same(work.log, ['/a', '/c']);
  await work.end('/c');
  t.equal(await behind, '/c');
});

void t.test('cancelling the one that waits for its lineage lets those behind it go at once', async (t) => {
  const work = new Work(new Turns(4, sameLineage));
  const control = new AbortController();
  void work.start('/a/b');
  const waiting = work.start('/a', { signal: control.signal });
  void work.start('/a/c');
  t.same(work.log, ['/a/b']);
  control.abort();
  await t.rejects(waiting, { code: 'CANCELLED' });
  t.same(work.log, ['/a/b', '/a/c']);
});

void t.test(
  'an aborted signal gets no turn; one that is aborted during the work is the work’s own business',
  async (t) => {
    const turns = new Turns(1);
    const work = new Work(turns);
    await t.rejects(work.start('/a', { signal: AbortSignal.abort() }), { code: 'CANCELLED' });
    const control = new AbortController();
    const running = work.start('/a', { signal: control.signal });
    control.abort();
    await work.end('/a');
    t.equal(await running, '/a');
  },
);

void t.test('work that fails gives its turn back, and its failure to who asked', async (t) => {
  const turns = new Turns(1);
  const fail = () => Promise.reject(new Error('refused'));
  await t.rejects(turns.run('/a', never, fail), { message: 'refused' });
  t.notOk(turns.isBusy('/a'));
  t.equal(await turns.run('/a', never, async () => 'next'), 'next');
});

void t.test('tells when the first begins and when the last has ended, whoever waits in between', async (t) => {
  const told: boolean[] = [];
  const work = new Work(new Turns(1, sameLineage, (busy) => told.push(busy)));
  const first = work.start('/a');
  const second = work.start('/b');
  t.same(told, [true]);
  await work.end('/a');
  await first;
  t.same(told, [true]);
  await work.end('/b');
  await second;
  t.same(told, [true, false]);
});
