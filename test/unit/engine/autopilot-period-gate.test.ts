import t from 'tap';
import { pages, world } from './world.js';

const periodSecs = 100;

/** Ends of the periods of a memcg with cold memory whose tasks wait 12 % of the first or the last tenth of each. */
async function periodsWith({ limitPercent, pressedAtSecs }: { limitPercent: number; pressedAtSecs: number }) {
  const it = await world();
  const cold = it.machine.file('/test', { mib: 4 });
  it.engine.autopilot.change({
    settings: {
      disabled: false,
      period_secs: periodSecs,
      period_psi_percent_limit: limitPercent,
      eviction_psi_percent_limit: 100,
    },
  });
  await it.periods(1);
  const begun = [...it.engine.autopilot.book.all()].find(({ memcg }) => memcg.path === '/test');
  await it.clock.advance((begun?.periodStart?.atMs ?? NaN) + periodSecs * 1000 - it.clock.nowMs());
  for (let period = 0; period < 6; period++) {
    await it.clock.advance(pressedAtSecs * 1000);
    it.machine.pressure('/test', { memory: 12 });
    await it.clock.advance((periodSecs / 10) * 1000);
    it.machine.pressure('/test', { memory: 0 });
    await it.clock.advance((periodSecs * 0.9 - pressedAtSecs) * 1000);
  }
  return { ends: [...(begun?.ends.keys() ?? [])], evicted: it.machine.where(cold).storage };
}

void t.test('pressure is averaged over the whole period: 12 % of a tenth of it is 1.2 %', async (t) => {
  for (const pressedAtSecs of [10, 80]) {
    const refused = await periodsWith({ limitPercent: 1.19, pressedAtSecs });
    t.equal(refused.evicted, 0, `pressed after ${pressedAtSecs} s, limit 1.19`);
    t.ok(refused.ends.includes('period_psi_exceeds_limit'));
    const whole = await periodsWith({ limitPercent: 1, pressedAtSecs });
    t.equal(whole.evicted, 0, `pressed after ${pressedAtSecs} s, limit 1`);
    const taken = await periodsWith({ limitPercent: 2, pressedAtSecs });
    t.equal(taken.evicted, pages(4), `pressed after ${pressedAtSecs} s, limit 2`);
    t.notOk(taken.ends.includes('period_psi_exceeds_limit'));
  }
});
