import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { overlaid } from '../../../src/daemon/autopilot-start.js';
import { SavedState } from '../../../src/daemon/saved-state.js';
import { silentLog } from '../../../src/log.js';
import { world } from '../engine/world.js';

/** A daemon that is launched with a scan period, its state taken over; what it said of it while it started. */
async function launched(folder: string, seconds: number, boot = 'b2c1') {
  const { engine } = await world({ settings: { scanPeriodMs: seconds * 1000 } });
  const said: string[] = [];
  const log = { ...silentLog, info: (_details: object, sentence: string) => void said.push(sentence) };
  const state = new SavedState(join(folder, 'state.json'), engine, boot, log);
  state.load();
  return {
    engine,
    state,
    said: said.filter((sentence) => sentence.includes('scan period')),
    seconds: () => engine.settings.scanPeriodMs / 1000,
  };
}

/** A daemon that was launched with 15 s, and ended after 7 s were written by hand. */
async function writtenByHand(t: Test): Promise<string> {
  const folder = t.testdir();
  const { engine, state } = await launched(folder, 15);
  engine.setScanPeriod(7);
  state.stop();
  return folder;
}

void t.test('a scan period that was written by hand stays over restarts', async (t) => {
  const folder = await writtenByHand(t);
  for (const boot of ['b2c1', 'b2c1', 'later']) {
    const it = await launched(folder, 15, boot);
    t.equal(it.seconds(), 7, boot);
    t.match(it.said, [/written by hand stays/]);
    it.state.stop();
  }
});

void t.test('also one that switched scanning off', async (t) => {
  const folder = t.testdir();
  const before = await launched(folder, 15);
  before.engine.setScanPeriod(0);
  before.state.stop();
  t.equal((await launched(folder, 15)).seconds(), 0);
});

void t.test('until the launch says something else', async (t) => {
  const folder = await writtenByHand(t);
  const it = await launched(folder, 20);
  t.equal(it.seconds(), 20);
  t.match(it.said, [/what was written by hand is over/]);
  it.state.stop();
  const again = await launched(folder, 15);
  t.equal(again.seconds(), 15, 'and it does not come back');
  t.same(again.said, []);
});

void t.test('nothing is said of a period that nobody wrote, or that is what the launch says', async (t) => {
  const folder = t.testdir();
  const before = await launched(folder, 15);
  t.same(before.said, []);
  before.state.stop();
  for (const seconds of [15, 20]) {
    const it = await launched(folder, seconds);
    t.same([it.seconds(), it.said], [seconds, []]);
  }
  t.same((await launched(await writtenByHand(t), 7)).said, []);
});

void t.test('what a changed configuration says is the launch for what is written afterwards', async (t) => {
  const folder = t.testdir();
  const { engine, state } = await launched(folder, 15);
  const autopilot = { memcg: { period_secs: 60 }, compact: {} };
  engine.setScanPeriod(20);
  state.relaunched(overlaid(autopilot), { scanPeriod: 20, autopilot });
  t.match(state.autopilot.launched, { memcg: { period_secs: 60 } });
  engine.setScanPeriod(7);
  state.stop();
  t.equal((await launched(folder, 20)).seconds(), 7);
  t.equal((await launched(folder, 15)).seconds(), 15);
});
