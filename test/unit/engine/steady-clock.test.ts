import t from 'tap';
import { steadyClock } from '../../../src/engine/steady-clock.js';
import { SimulatedClock } from '../../../src/kernel/simulated/clock.js';

void t.test('goes on from where it was when the clock below it steps back, each time', async (t) => {
  let machineMs = 1000;
  const clock = steadyClock({ nowMs: () => machineMs, sleep: async () => undefined });
  const times = [1000, 1500, 200, 300, 100, 5000].map((ms) => {
    machineMs = ms;
    return clock.nowMs();
  });
  t.same(times, [1000, 1500, 1500, 1600, 1600, 6500]);
});

void t.test('sleeps as the clock below it does', async (t) => {
  const machine = new SimulatedClock(7);
  const clock = steadyClock(machine);
  const sleep = clock.sleep(100);
  t.equal(machine.sleeping, 1);
  await machine.advance(100);
  await sleep;
  t.equal(clock.nowMs(), 107);
});
