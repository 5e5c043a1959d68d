import t from 'tap';
import type { IdleStats } from '../../../src/engine/idle-stats.js';
import type { PageSet } from '../../../src/kernel/simulated/page-set.js';
import { type RoundsSeen, roundsSeen } from './rounds-seen.js';
import { pages, periodMs, type World, world } from './world.js';

interface Stepping extends RoundsSeen {
  readonly it: World;
  /** What `/test` has. */
  readonly busy: PageSet;
  /** Moves the engine's clock back, and no other. */
  readonly stepBack: (ms: number) => void;
}

/** A world whose `/test` uses a MiB all the time. */
async function stepping(): Promise<Stepping> {
  let behindMs = 0;
  const it = await world({
    engineClock: (clock) => ({
      nowMs: () => clock.nowMs() - behindMs,
      sleep: (ms, signal) => clock.sleep(ms, signal),
    }),
  });
  const { looks, agings } = roundsSeen(it);
  const busy = it.machine.anon('/test', { mib: 1, touchedEveryMs: 500 });
  return { it, busy, looks, agings, stepBack: (ms) => (behindMs += ms) };
}

const steps = { 'an hour': 3_600_000, 'a period': periodMs, 'three seconds': 3000 };

for (const [length, ms] of Object.entries(steps)) {
  void t.test(`looks and agings go on when the clock steps back ${length}`, async (t) => {
    const { it, stepBack, looks, agings } = await stepping();
    for (let step = 0; step < 3; step++) {
      await it.periods(4.3);
      stepBack(ms);
    }
    await it.periods(7.1);
    for (const times of [looks, agings]) {
      const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
      t.ok(gaps.length >= 14 && Math.max(...gaps) <= 20, times.join(', '));
    }
    t.not(it.engine.watching().usedPercent, undefined, 'the budget is judged');
  });

  void t.test(`the histogram has all pages, and ages go on, when the clock steps back ${length}`, async (t) => {
    const { it, stepBack } = await stepping();
    it.machine.anon('/cold', { mib: 8 });
    it.machine.file('/cold', { mib: 4 });
    const shown = (): IdleStats => it.engine.kidled.stats(it.at('/cold'), 'own');
    for (let step = 0; step < 3; step++) {
      await it.periods(4.3);
      stepBack(ms);
      await it.periods(1);
      t.ok(
        shown().histogram.every((bytes) => bytes >= 0),
        'nothing is negative',
      );
      const sum = shown().histogram.reduce((all, bytes) => all + bytes, 0);
      t.ok(sum <= pages(12) * 4096, `${sum} bytes at most`);
    }
    await it.periods(8);
    const { histogram, buckets, pageScans } = shown();
    t.ok(pageScans >= 15);
    const older = [...histogram.entries()].filter(([cell]) => (buckets[cell % buckets.length] ?? 0) >= 5);
    t.equal(
      older.reduce((all, [, bytes]) => all + bytes, 0),
      pages(12) * 4096,
      'all is idle for five periods',
    );
    it.engine.global.mode = 3;
    await it.reclaim('/cold', 5);
    t.equal(it.ledger('/cold')['anon swap out'], pages(8));
    t.equal(it.ledger('/cold')['pagecache dropped'], pages(4), 'page cache was seen all that time');
  });

  void t.test(`a memcg that rests is aged when it wakes up after the clock stepped back ${length}`, async (t) => {
    const { it, busy, stepBack, agings } = await stepping();
    it.machine.touchEvery(busy, undefined);
    await it.periods(8);
    stepBack(ms);
    it.machine.touchEvery(busy, 500);
    agings.length = 0;
    await it.periods(3);
    t.ok(agings.length >= 2, agings.join(', '));
  });
}
