/** Processes of this machine are really traced: no memory state of its kernel is changed but the locks of our own programs. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { cannotTrace, Checker, mebibyte, realMlock } from './checker.js';

const bytes = 4 * mebibyte;
const rounds = 5000;
const noSignal = /^0+$/;

// Three programs share the machine with whatever else runs on it.
t.setTimeout(300_000);

function tracer({ identity, address }: Checker, what: string | number): ChildProcess {
  const script = fileURLToPath(new URL('./rounds.js', import.meta.url));
  const args = [script, JSON.stringify(identity), address, bytes, what].map(String);
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** A tracer that has come to its work, and its end. */
async function tracerAtWork(checker: Checker): Promise<{ one: ChildProcess; ended: Promise<unknown[]> }> {
  const one = tracer(checker, 1_000_000);
  const ended = once(one, 'exit');
  const began = new Promise<string>((resolve) => one.stdout?.once('data', () => resolve('began')));
  const first = await Promise.race([began, ended]);
  if (first !== 'began')
    throw new Error(`a tracer ended with ${String(first)}; the process: ${await checker.verdict()}`);
  return { one, ended };
}

/** Lets a tracer come to its work and kills it at some moment of that. */
async function killTracerOf(checker: Checker): Promise<void> {
  const { one, ended } = await tracerAtWork(checker);
  await sleep(Math.random() * 30);
  one.kill('SIGKILL');
  await ended;
}

void t.test('processes and their tracers', { skip: cannotTrace }, async (t) => {
  const folder = t.testdir();
  const program = Checker.compile(folder);

  await t.test(`${2 * rounds} rounds of a process that looks at its registers, memory and signals`, async (t) => {
    const checker = await Checker.start(program, 'registers', '4');
    const one = tracer(checker, rounds);
    let text = '';
    one.stdout?.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    t.same(await once(one, 'close'), [0, null]);
    const stopsMs = (JSON.parse(text.split('\n')[1] ?? '') as number[]).sort((a, b) => a - b);
    t.equal(stopsMs.length, 2 * rounds);
    const [p50 = 0, p99 = 0] = [0.5, 0.99].map((share) => stopsMs[Math.floor(share * stopsMs.length)]);
    t.comment(
      `stops of ${bytes >> 20} MiB beside two busy threads: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`,
    );
    t.match(checker.field('SigBlk'), noSignal);
    t.equal(await checker.verdict(), 'ok');
  });

  await t.test('waits go on: with time limits, without, and those that every stop ends', async (t) => {
    const checker = await Checker.start(program, 'waits', '4');
    const one = tracer(checker, 2500);
    one.stdout?.resume();
    t.same(await once(one, 'close'), [0, null]);
    t.equal(await checker.verdict(), 'ok');
  });

  for (const mode of ['registers', 'sleeps'])
    await t.test(`a tracer that is killed at any moment leaves a process of ${mode} whole`, async (t) => {
      const checker = await Checker.startYielding(program, mode, '4');
      for (const step of ['seize', 'stop', 'begin', 'finish'])
        t.same(await once(tracer(checker, step), 'exit'), [null, 'SIGKILL'], `right after ${step}`);
      for (let time = 0; time < 25; time++) await killTracerOf(checker);
      t.equal(checker.field('TracerPid'), '0');
      // It has to come to run to have its frame restored.
      for (let look = 0; look < 500 && !noSignal.test(checker.field('SigBlk') ?? ''); look++) await sleep(20);
      t.match(checker.field('SigBlk'), noSignal);
      t.equal(await checker.verdict(), 'ok');
    });

  await t.test('a process that is killed while it is traced is just gone', async (t) => {
    for (let time = 0; time < 8; time++) {
      const checker = await Checker.startYielding(program, 'registers', '4');
      const { ended } = await tracerAtWork(checker);
      await sleep(Math.random() * 20);
      checker.process.kill('SIGKILL');
      const [code, signal] = (await ended) as [number | null, string | null];
      t.same([code, signal], [3, null], 'the tracer says so and ends');
      t.equal(await checker.verdict(), 'SIGKILL');
    }
  });

  await t.test('static programs as well', async (t) => {
    const checker = await Checker.start(Checker.compile(folder, 'static'), 'registers', '4');
    const one = tracer(checker, 50);
    one.stdout?.resume();
    t.same(await once(one, 'close'), [0, null]);
    t.equal(await checker.verdict(), 'ok');
  });

  await t.test('the locked memory of a process is found, unlocked in pieces and locked again', async (t) => {
    const checker = await Checker.start(program, 'idle', '20');
    const mlock = realMlock();
    const alive = setInterval(() => undefined, 1000);
    mlock.prepare(`${folder}/locks`);
    t.teardown(() => mlock.close());
    t.teardown(() => clearInterval(alive));
    const memory = await mlock.lockedMemory(checker.identity.pid);
    t.match(memory, { identity: checker.identity, ranges: [{ start: checker.address, kind: 'anon' }] });
    const ranges = memory?.ranges ?? [];
    t.equal(await mlock.presentBytes(checker.identity.pid, ranges), 20 * mebibyte);
    const unlocked = await mlock.change({ identity: checker.identity, to: 'unlocked', ranges });
    t.match(unlocked, { changedBytes: 20 * mebibyte, refusal: undefined });
    t.ok(unlocked.stopsMs.length >= 3, 'no stop for more than 8 MiB');
    t.equal(checker.field('VmLck'), '0 kB');
    t.equal(await mlock.lockedMemory(checker.identity.pid), undefined);
    await mlock.change({ identity: checker.identity, to: 'locked', ranges });
    t.equal(checker.field('VmLck'), '20480 kB');
    const other = { ...checker.identity, stackStart: '1' };
    t.match(await mlock.change({ identity: other, to: 'unlocked', ranges }), {
      refusal: 'it runs another program now',
    });
    t.equal(await checker.verdict(), 'ok');
    t.match(await mlock.change({ identity: checker.identity, to: 'locked', ranges }), { refusal: 'it has ended' });
  });

  await t.test('processes that are left alone as they are', async (t) => {
    const alive = setInterval(() => undefined, 1000);
    const mlock = realMlock();
    mlock.prepare(`${folder}/no-locks`);
    t.teardown(() => mlock.close());
    t.teardown(() => clearInterval(alive));
    const refused = async (checker: Checker, refusal: string): Promise<void> => {
      const { identity, address } = checker;
      const ranges = [{ start: address, end: address + bytes }];
      t.match(await mlock.change({ identity, to: 'unlocked', ranges }), { changedBytes: 0, stopsMs: [], refusal });
      t.equal(checker.field('VmLck'), '4096 kB');
    };
    const filtered = await Checker.start(program, 'seccomp', '4');
    await refused(filtered, 'it has a seccomp filter');
    t.equal(await filtered.verdict(), 'ok');

    const stopped = await Checker.start(program, 'idle', '4');
    stopped.process.kill('SIGSTOP');
    while (!stopped.field('State')?.startsWith('T')) await sleep(10);
    await refused(stopped, 'it is stopped');
    stopped.process.kill('SIGCONT');
    t.equal(await stopped.verdict(), 'ok');

    const elsewhere = await Checker.start('unshare', '--user', '--map-root-user', program, 'idle', '4').catch(
      () => undefined,
    );
    if (elsewhere === undefined) t.comment('no user namespace can be made here: not tested');
    else {
      await refused(elsewhere, 'it is in another user namespace');
      t.equal(await elsewhere.verdict(), 'ok');
    }
  });
});
