import t from 'tap';
import { earlyAgings } from '../../../src/engine/coldness.js';
import { type Log, silentLog } from '../../../src/log.js';
import { type RoundsSeen, roundsSeen } from './rounds-seen.js';
import { periodMs, type World, world, type WorldOptions } from './world.js';

interface Watched extends RoundsSeen {
  readonly it: World;
  readonly said: string[];
}

/** A world whose `/test` uses its memory all the time, from before the first look on. */
async function watched(options: WorldOptions = {}): Promise<Watched> {
  const said: string[] = [];
  const say =
    (level: string) =>
    (_details: object, sentence: string): void =>
      void said.push(`${level}: ${sentence}`);
  const log: Log = { ...silentLog, info: say('info'), warn: say('warn'), error: say('error') };
  const it = await world({ log, ...options, settings: { scanPeriodMs: 0, ...options.settings } });
  const { looks, agings } = roundsSeen(it);
  it.machine.anon('/test', { mib: 1, touchedEveryMs: 500 });
  it.engine.setScanPeriod(periodMs / 1000);
  await it.clock.advance(0);
  said.length = 0;
  return { it, looks, agings, said };
}

/** Has the period written the first time that something of a round happens after now. */
const writings = {
  'what agings clear is looked at': (it: World, write: () => void) => {
    it.engine.tracker.beforeAgings = async () => write();
  },
  'memcgs are aged': (it: World, write: () => void) => {
    it.machine.hooks.beforeAging = write;
  },
  'memcgs are listed': (it: World, write: () => void) => {
    const { lruGen } = it.machine.kernel;
    const read = lruGen.read.bind(lruGen);
    lruGen.read = () => {
      write();
      return read();
    };
  },
};

for (const [moment, has] of Object.entries(writings)) {
  const writtenOnce = async (seconds: readonly number[]): Promise<Watched> => {
    const all = await watched();
    let isWritten = false;
    has(all.it, () => {
      if (isWritten) return;
      isWritten = true;
      for (const one of seconds) all.it.engine.setScanPeriod(one);
    });
    all.looks.length = 0;
    return all;
  };

  void t.test(`a period that is written while ${moment} rules from then on`, async (t) => {
    const { it, looks } = await writtenOnce([2]);
    await it.clock.advance(17_000);
    t.same(looks, [10, 12, 14, 16]);
  });

  void t.test(`a longer one as well: ${moment}`, async (t) => {
    const { it, looks } = await writtenOnce([3600]);
    await it.clock.advance(3_620_000);
    t.equal(looks.length, 2);
    t.ok((looks[1] ?? 0) >= 10 + 3600 * (1 - earlyAgings), `then at ${looks[1]}`);
  });

  void t.test(`one that is switched off while ${moment} ends looks and agings`, async (t) => {
    const { it, looks, agings } = await writtenOnce([0]);
    await it.clock.advance(10_000);
    const agedBefore = agings.length;
    await it.clock.advance(3_600_000);
    t.same(looks, moment === 'memcgs are listed' ? [10] : [], 'no look but one that is under way');
    t.equal(agings.length, agedBefore);
    it.engine.setScanPeriod(5);
    await it.clock.advance(0);
    t.equal(looks.at(-1), 3610, 'at once when it is on again');
  });

  void t.test(`one that is off and on again while ${moment} has a look at once`, async (t) => {
    const { it, looks } = await writtenOnce([0, 2]);
    await it.clock.advance(12_500);
    t.same(looks, [10, 10, 12]);
  });
}

void t.test('looks that fail come once a period, not oftener', async (t) => {
  const { it, looks, agings, said } = await watched();
  looks.length = 0;
  let tracked = 0;
  it.engine.tracker.beforeAgings = async () => void tracked++;
  it.machine.failNext('readGenerations', new Error('EIO'), 5);
  await it.periods(8);
  t.same(looks, [10, 20, 30, 40, 50, 60, 70, 80]);
  t.same(agings, [10, 20, 30, 40, 50, 60, 70, 80], 'by what is known from the last look');
  t.equal(tracked, 8);
  t.same(said, [
    'error: looking at memcgs failed; it is tried again with each look',
    'info: looking at memcgs works again',
  ]);
});

void t.test('rounds whose look fails count in the budget', async (t) => {
  const { it } = await watched();
  it.machine.kernel.lruGen.read = () => Promise.reject(new Error('EIO'));
  await it.periods(10);
  t.not(it.engine.watching().usedPercent, undefined);
});

void t.test('a witness that fails keeps nobody from agings or looks', async (t) => {
  const { it, looks, agings, said } = await watched();
  looks.length = 0;
  let isBroken = true;
  it.engine.tracker.beforeAgings = async () => {
    if (isBroken) throw new Error('EPERM');
  };
  await it.periods(5);
  isBroken = false;
  await it.periods(1);
  t.same(looks, [10, 20, 30, 40, 50, 60]);
  t.same(agings, [10, 20, 30, 40, 50, 60]);
  t.same(said, [
    'error: looking for use before agings failed; it is tried again with each look',
    'info: looking for use before agings works again',
  ]);
});

void t.test('agings that fail altogether are tried again with each look', async (t) => {
  const { it, looks, said } = await watched();
  looks.length = 0;
  const { lruGen } = it.machine.kernel;
  const age = lruGen.age.bind(lruGen);
  let tried = 0;
  lruGen.age = () => {
    tried++;
    return Promise.reject(new Error('ENOENT'));
  };
  await it.periods(5);
  t.same(looks, [10, 20, 30, 40, 50]);
  t.ok(tried <= 10, `tried ${tried} times`);
  lruGen.age = age;
  await it.periods(1);
  t.same(said, ['error: aging memcgs failed; it is tried again with each look', 'info: aging memcgs works again']);
});

/** Makes a listing take so long, and all the time that passes processor time. */
function dearListings(
  { machine: { kernel }, clock }: World,
  costMs: () => number,
  t: { teardown(restore: () => void): void },
): void {
  const cpuUsage = process.cpuUsage.bind(process);
  process.cpuUsage = () => ({ user: clock.nowMs() * 1000, system: 0 });
  t.teardown(() => (process.cpuUsage = cpuUsage));
  const read = kernel.lruGen.read.bind(kernel.lruGen);
  kernel.lruGen.read = async () => {
    await clock.sleep(costMs());
    return read();
  };
}

void t.test('beyond the budget generations are born further apart, and it is told', async (t) => {
  const { it, looks, agings, said } = await watched();
  let costMs = 400;
  dearListings(it, () => costMs, t);
  await it.periods(20);
  for (const times of [looks, agings]) times.length = 0;
  await it.periods(20);
  const { stretch, usedPercent = 0 } = it.engine.watching();
  t.ok(stretch > 1.8 && stretch < 2.2, `4 % instead of 2: ${stretch} times`);
  t.ok(usedPercent > 1.8 && usedPercent < 2.2, `${usedPercent} %`);
  for (const times of [looks, agings]) {
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    t.ok(gaps.length >= 7 && gaps.every((gap) => Math.abs(gap - 10 * stretch) <= 1.5), `${gaps.join(', ')} s`);
  }
  t.same(said, ['warn: watching memcgs took more than scan_cpu_percent (2): intervals are stretched']);
  costMs = 50;
  await it.periods(20);
  agings.length = 0;
  await it.periods(3);
  t.equal(it.engine.watching().stretch, 1);
  t.equal(agings.length, 3);
  t.same(said.slice(1), ['info: watching memcgs takes less now: intervals are shorter again']);
});

void t.test('rounds that last longer than a period are told as stretched, whatever they cost', async (t) => {
  const { it, looks, said } = await watched();
  it.engine.tracker.beforeAgings = () => it.clock.sleep(25_000);
  await it.periods(20);
  looks.length = 0;
  await it.periods(10);
  t.same(looks.length, 4, 'one right after the other');
  t.equal(it.engine.watching().stretch, 2.5);
  const slow = 'warn: a round of looks lasts longer than the time between two: they come later';
  t.same(said, [slow], 'once');
  it.engine.setScanPeriod(100);
  t.equal(it.engine.watching().stretch, 1, 'until it is known how long they last by the new period');
  await it.periods(40);
  t.equal(it.engine.watching().stretch, 1);
  t.same(said.slice(2), ['info: rounds of looks last no longer than the time between two again']);
});
