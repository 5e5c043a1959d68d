import t from 'tap';
import type { Watched } from '../../../src/engine/autopilot-book.js';
import { pages, type World, world } from './world.js';

const hourMs = 3_600_000;
const periodSecs = 10;

/** A world with the autopilot on, and what it does to /test: agings, commands and ends of periods, in order. */
async function watched() {
  const it = await world({ evictionMsPerMib: 20 });
  it.engine.autopilot.change({ settings: { disabled: false, period_secs: periodSecs } });
  const did: string[] = [];
  it.machine.hooks.beforeAging = ({ path }) => void (path === '/test' && did.push('aging'));
  it.machine.hooks.beforeEviction = ({ path }) => void (path === '/test' && did.push('command'));
  const { book } = it.engine.autopilot;
  const note = book.note.bind(book);
  book.note = (of: readonly Watched[], end) => {
    if (of[0]?.memcg.path === '/test') did.push(end);
    note(of, end);
  };
  return { it, did };
}

/** Moves time until the last thing that was done is this. */
async function until(it: World, did: readonly string[], what: string): Promise<void> {
  for (let times = 0; times < 10_000 && did.at(-1) !== what; times++) await it.clock.advance(10);
}

void t.test('an hour that passes in a nap ends one period and makes one aging', async (t) => {
  const { it, did } = await watched();
  const cold = it.machine.file('/test', { mib: 16 });
  await until(it, did, 'too_few_agings');
  await it.clock.advance(periodSecs * 500);
  did.length = 0;
  await it.clock.leap(hourMs);
  await it.clock.advance(periodSecs * 400);
  t.equal(did.filter((one) => one === 'aging').length, 1, did.join(' '));
  t.equal(did.filter((one) => one !== 'aging' && one !== 'command').length, 1, did.join(' '));
  await it.clock.advance(3 * periodSecs * 1000);
  t.equal(it.machine.where(cold).storage, pages(16), 'and the loop goes on');
});

void t.test('an hour that passes in the grace of a run ends that run once, and one period follows', async (t) => {
  const { it, did } = await watched();
  const cold = it.machine.file('/test', { mib: 16 });
  const hot = it.machine.file('/test', { mib: 16, access: 'mapped', touchedEveryMs: 500 });
  await until(it, did, 'too_few_agings');
  const { clock } = it;
  const sleep = clock.sleep.bind(clock);
  let inGrace = false;
  clock.sleep = (ms, signal) => {
    // What is left of the grace of 1.5 s: nothing else sleeps so long.
    inGrace ||= ms > 1000 && ms <= 1500;
    return sleep(ms, signal);
  };
  for (let times = 0; times < 10_000 && !inGrace; times++) await clock.advance(10);
  t.ok(inGrace);
  did.length = 0;
  await clock.leap(hourMs);
  await clock.advance(periodSecs * 400);
  const ends = did.filter((one) => one !== 'aging' && one !== 'command');
  t.same(ends, ['done', 'nothing_cold'], did.join(' '));
  t.ok(did.filter((one) => one === 'aging').length <= 2, did.join(' '));
  t.same([it.machine.where(cold).storage, it.machine.where(hot).memory], [pages(16), pages(16)]);
});

void t.test('an hour that passes in a compaction ends it as too_long at most once, and one look follows', async (t) => {
  for (const compactionMs of [2000, 10_000_000]) {
    const it = await world();
    const { compactor } = it.engine;
    compactor.change({ disabled: false, period_secs: periodSecs });
    it.machine.fragmentation.blocks[0] = 8192;
    it.machine.fragmentation.compactionMs = compactionMs;
    for (let times = 0; times < 10_000 && it.machine.compactions === 0; times++) await it.clock.advance(100);
    const looked = [...compactor.reasons.values()].reduce((sum, one) => sum + one, 0);
    await it.clock.leap(hourMs);
    await it.clock.advance(periodSecs * 400);
    const looks = [...compactor.reasons.values()].reduce((sum, one) => sum + one, 0);
    t.equal(looks - looked, 1, JSON.stringify([...compactor.reasons]));
    t.ok((compactor.outcomes.get('too_long') ?? 0) <= 1, JSON.stringify([...compactor.outcomes]));
    t.equal(it.machine.compactions, 1);
    await it.clock.advance(periodSecs * 1000);
    t.equal(compactor.outcomes.get('does_not_end'), undefined);
  }
});
