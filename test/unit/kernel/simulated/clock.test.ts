import t from 'tap';
import { SimulatedClock } from '../../../../src/kernel/simulated/clock.js';

void t.test('time stands still until it is moved', async (t) => {
  const clock = new SimulatedClock(100);
  t.equal(clock.nowMs(), 100);
  await clock.advance(50);
  t.equal(clock.nowMs(), 150);
});

void t.test('sleepers wake in the order in which they are due, each at its own time', async (t) => {
  const clock = new SimulatedClock();
  const woken: [string, number][] = [];
  const sleeper = async (name: string, ms: number): Promise<void> => {
    await clock.sleep(ms);
    woken.push([name, clock.nowMs()]);
  };
  void sleeper('late', 300);
  void sleeper('early', 100);
  await clock.advance(299);
  t.same(woken, [['early', 100]]);
  await clock.advance(1);
  t.same(woken, [
    ['early', 100],
    ['late', 300],
  ]);
});

void t.test('sleepers that are due at the same time wake in the order in which they fell asleep', async (t) => {
  const clock = new SimulatedClock();
  const woken: string[] = [];
  void clock.sleep(100).then(() => woken.push('first'));
  void clock.sleep(100).then(() => woken.push('second'));
  await clock.advance(100);
  t.same(woken, ['first', 'second']);
});

void t.test('a loop that sleeps again and again runs as often as the time allows', async (t) => {
  const clock = new SimulatedClock();
  let turns = 0;
  void (async () => {
    for (;;) {
      await clock.sleep(10);
      turns++;
    }
  })();
  await clock.advance(100);
  t.equal(turns, 10);
});

void t.test('an abort ends a sleep at once, and one that starts aborted does not begin', async (t) => {
  const clock = new SimulatedClock();
  const controller = new AbortController();
  const sleep = clock.sleep(1000, controller.signal);
  t.equal(clock.sleeping, 1);
  controller.abort();
  await sleep;
  await clock.sleep(1000, controller.signal);
  t.equal(clock.sleeping, 0);
  t.equal(clock.nowMs(), 0);
});

void t.test('finish moves time until the work is done, no further', async (t) => {
  const clock = new SimulatedClock();
  const work = async (): Promise<string> => {
    await clock.sleep(100);
    await clock.sleep(200);
    return 'done';
  };
  t.equal(await clock.finish(work()), 'done');
  t.equal(clock.nowMs(), 300);
});

void t.test('finish passes on a failure', async (t) => {
  const clock = new SimulatedClock();
  const work = async (): Promise<void> => {
    await clock.sleep(1);
    throw new Error('broken');
  };
  await t.rejects(clock.finish(work()), { message: 'broken' });
});

void t.test('finish does not wait for ever', async (t) => {
  const clock = new SimulatedClock();
  await t.rejects(clock.finish(new Promise(() => undefined)), /nothing sleeps/);
  void (async () => {
    for (;;) await clock.sleep(10);
  })();
  await t.rejects(clock.finish(new Promise(() => undefined), 1000), /not done after 1000 ms/);
});

void t.test('a leap: who slept wakes after it, once, in the order in which they were due', async (t) => {
  const clock = new SimulatedClock();
  const woken: [string, number][] = [];
  const loop = async (name: string, ms: number): Promise<void> => {
    for (;;) {
      await clock.sleep(ms);
      woken.push([name, clock.nowMs()]);
    }
  };
  void loop('late', 300);
  void loop('early', 100);
  await clock.leap(1000);
  t.same(woken, [
    ['early', 1000],
    ['late', 1000],
  ]);
  await clock.advance(100);
  t.same(woken.slice(2), [['early', 1100]]);
});
