import t from 'tap';
import { PressureGuard } from '../../../src/engine/pressure-guard.js';
import { SimulatedClock } from '../../../src/kernel/simulated/clock.js';
import { simulatedMachine } from '../../../src/kernel/simulated/machine.js';
import { never } from './world.js';

/** A memcg under guard. `ask` takes the time that the guard takes. */
function guarded({ limitPercent = 1 } = {}) {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock });
  machine.memcg('/test');
  const guard = new PressureGuard(machine.kernel, clock, '/test', 'own', limitPercent);
  return { clock, machine, guard, ask: () => clock.finish(guard.isWithin(never())) };
}

void t.test('the first answer takes a window of 200 ms; until the next is over it holds', async (t) => {
  const { clock, machine, ask } = guarded();
  t.equal(await ask(), true);
  t.equal(clock.nowMs(), 200);
  machine.pressure('/test', { io: 100 });
  await clock.advance(199);
  t.equal(await ask(), true);
  await clock.advance(1);
  t.equal(await ask(), false);
  t.equal(clock.nowMs(), 400, 'only the first answer takes time');
});

void t.test('pressure of 5 ms is judged over 200 ms at least, however often the guard is asked', async (t) => {
  for (const [limitPercent, isWithin] of [
    [2.5, true],
    [2.49, false],
  ] as const) {
    const { clock, machine, guard, ask } = guarded({ limitPercent });
    await ask();
    const answers = new Set<boolean>();
    const percents = new Set<number | undefined>();
    for (let ms = 0; ms < 400; ms++) {
      if (ms === 100) machine.pressure('/test', { memory: 100 });
      if (ms === 105) machine.pressure('/test', { memory: 0 });
      await clock.advance(1);
      answers.add(await ask());
      percents.add(guard.percent);
    }
    t.same([...percents], [0, 2.5]);
    t.equal(!answers.has(false), isWithin, `limit ${limitPercent}`);
  }
});

void t.test('hundredths of a percent count', async (t) => {
  for (const resource of ['memory', 'io'] as const)
    for (const [percent, isWithin] of [
      [0.99, true],
      [1, true],
      [1.01, false],
    ] as const) {
      const { machine, ask } = guarded();
      machine.pressure('/test', { [resource]: percent });
      t.equal(await ask(), isWithin, `${resource} ${percent}`);
    }
});

void t.test('reading many children takes a tenth of the time at most: the window is as much longer', async (t) => {
  const { clock, machine, guard, ask } = guarded();
  for (let child = 0; child < 100; child++) machine.memcg(`/test/${child}`);
  const { pressure } = machine.kernel;
  const totals = pressure.totals.bind(pressure);
  pressure.totals = async (path) => {
    await clock.sleep(1);
    return totals(path);
  };
  await ask();
  const startMs = clock.nowMs();
  let readingMs = 0;
  while (clock.nowMs() < startMs + 30_000) {
    await clock.advance(10);
    const askedMs = clock.nowMs();
    await ask();
    readingMs += clock.nowMs() - askedMs;
  }
  t.ok(readingMs > 0);
  t.ok(readingMs <= 30_000 / 10, `${readingMs} ms of 30 s`);
  machine.pressure('/test/7', { memory: 90 });
  machine.pressure('/test', { memory: 1 });
  await clock.advance(3000);
  t.equal(await ask(), true, 'what a child waits is taken off over the same window');
  await clock.advance(3000);
  await ask();
  t.ok(Math.abs((guard.percent ?? 0) - 1) < 0.2, `${guard.percent} %`);
});
