import t from 'tap';
import { agingIntervalMs, earlyAgings } from '../../../src/engine/coldness.js';
import { defaultGlobalControls, MemcgControlTable } from '../../../src/engine/controls.js';
import { MeantColdness } from '../../../src/engine/meant-coldness.js';
import { type World, world } from './world.js';

const periodMs = 10_000;
const test = { path: '/test', inode: 7n };

/** The interval of /test with what is meant for it, and that of a memcg which nothing is meant for. */
function intervals({ flags = 0n, last = 0, global = 1, nonrot = 0, mode = 3, autopilotMs = 0 }) {
  const controls = new MemcgControlTable();
  controls.set(test, { flags, lastAgePeriods: last });
  const meant = new MeantColdness(
    { ...defaultGlobalControls, agePeriods: global, nonrotAgePeriods: nonrot, mode },
    controls,
    { scanPeriodMs: () => periodMs, autopilotIntervals: () => () => autopilotMs },
  );
  meant.read();
  const of = meant.agingIntervals();
  return { test: of('/test', 0), other: of('/other', 0) };
}

void t.test('the flags of a memcg rule; else its last threshold, else the global one', async (t) => {
  const of = (agePeriods: number): number => agingIntervalMs(periodMs, agePeriods);
  t.same(intervals({ flags: 12n, last: 6, global: 4 }), { test: of(12), other: of(4) });
  t.same(intervals({ last: 6, global: 4 }), { test: of(6), other: of(4) });
  t.same(intervals({ global: 4 }), { test: of(4), other: of(4) });
});

void t.test('of threshold and autopilot the slower rules, not both; flags rule over the autopilot too', async (t) => {
  t.equal(intervals({ last: 6, autopilotMs: 60_000 }).test, 60_000);
  t.equal(intervals({ last: 20, autopilotMs: 60_000 }).test, agingIntervalMs(periodMs, 20));
  t.equal(intervals({ flags: 2n, last: 6, autopilotMs: 60_000 }).test, agingIntervalMs(periodMs, 2));
});

void t.test('threshold_nonrot is proven as well, as far as the threshold still is at once', async (t) => {
  t.equal(intervals({ last: 4, nonrot: 5 }).test, agingIntervalMs(periodMs, 6));
  t.equal(intervals({ last: 4, nonrot: 200 }).test, 4 * periodMs);
  t.equal(intervals({ last: 4, nonrot: 5, mode: 1 }).test, agingIntervalMs(periodMs, 4), 'page cache is not split');
});

/** Agings of /test on its node in so many seconds, with memory in use and memory that goes. */
async function agingsOf(it: World, secs: number): Promise<number> {
  let agings = 0;
  it.machine.hooks.beforeAging = ({ path }) => {
    if (path === '/test') agings++;
  };
  await it.clock.advance(secs * 1000);
  return agings;
}

void t.test(
  'threshold, autopilot and histogram together age a memcg no more often than the slowest does',
  async (t) => {
    for (const [meantFor, periodSecs, flags, thresholdPeriods, intervalMs] of [
      ['autopilot', 60, 0n, 3, 60_000],
      ['threshold', 20, 0n, 12, agingIntervalMs(periodMs, 12)],
      ['threshold and histogram', 10, 0n, 1, periodMs],
      ['flags', 60, 6n, 3, agingIntervalMs(periodMs, 6)],
      ['flags', 20, 20n, 3, agingIntervalMs(periodMs, 20)],
    ] as const) {
      const it = await world();
      it.engine.global.mode = 3;
      it.engine.autopilot.change({ settings: { disabled: false, swap: true, period_secs: periodSecs } });
      it.machine.anon('/test', { mib: 8, touchedEveryMs: 700 });
      it.machine.file('/test', { mib: 8, access: 'mapped', touchedEveryMs: 900 });
      it.machine.file('/test', { mib: 8 });
      it.engine.noteColdness(it.at('/test'), { flags, lastAgePeriods: thresholdPeriods });
      const secs = 1800;
      const agings = await agingsOf(it, secs);
      const soonestMs = intervalMs * (1 - earlyAgings);
      const most = Math.floor((secs * 1000) / soonestMs) + 1;
      t.ok(agings <= most, `${meantFor}: ${agings} agings, at most ${most}`);
      t.ok(agings >= most * 0.8, `${meantFor}: ${agings} agings of ${most}`);
    }
  },
);
