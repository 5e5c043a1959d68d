import t from 'tap';
import type { LockChange } from '../../../src/kernel/mlock.js';
import { pages, world, type World, type WorldOptions } from './world.js';

/** A world where mlocked memory may be reclaimed, with 64 MiB of it in /test. `journal` is what must be locked again, entry by entry. */
async function lockedWorld(
  options: WorldOptions['settings'] = {},
  touchedEveryMs?: number,
): Promise<World & { readonly journal: (readonly LockChange[])[]; readonly pid: number }> {
  const journal: (readonly LockChange[])[] = [];
  const lockJournal = { file: '/locks', write: (changes: readonly LockChange[]) => void journal.push([...changes]) };
  const it = await world({ settings: { lockJournal, scanPeriodMs: 1000, ...options } });
  const pid = it.machine.task('/test');
  it.machine.anon('/test', { mib: 64, pid, mlocked: true, ...(touchedEveryMs && { touchedEveryMs }) });
  it.engine.global.flags = 1;
  it.engine.global.mode = 2;
  await it.clock.advance(10_000);
  return Object.assign(it, { journal, pid });
}

async function lockedPages(it: World & { readonly pid: number }): Promise<number> {
  const { ranges = [] } = (await it.machine.kernel.mlock.lockedMemory(it.pid)) ?? {};
  return ranges.reduce((sum, { start, end }) => sum + (end - start) / 4096, 0);
}

void t.test('mlocked memory that nobody uses leaves in the same write, and is locked again', async (t) => {
  const it = await lockedWorld();
  it.engine.noteColdness(it.at('/test'), { lastAgePeriods: 1 });
  await it.reclaim('/test', 1);
  t.match(it.ledger('/test'), { 'anon swap out': pages(64), 'mlock dropped': pages(64) });
  t.equal(await lockedPages(it), pages(64));
  t.same(it.problems(), []);
  t.equal(it.journal.at(-1)?.length, 0);
  t.match(it.journal[0]?.[0], { identity: { pid: it.pid }, to: 'locked' }, 'noted before it was unlocked');
});

void t.test('mlocked memory in use stays', async (t) => {
  const it = await lockedWorld({}, 300);
  it.engine.noteColdness(it.at('/test'), { lastAgePeriods: 2 });
  await it.reclaim('/test', 2);
  t.match(it.ledger('/test'), { 'anon swap out': undefined, 'mlock dropped': undefined });
  t.equal(await lockedPages(it), pages(64));
});

void t.test('the global threshold takes it, also where nothing else is cold', async (t) => {
  const it = await lockedWorld();
  it.engine.noteGlobalColdness(1);
  await it.reclaimAll(1);
  t.equal(it.ledger('/test')['mlock dropped'], pages(64));
  t.equal(await lockedPages(it), pages(64));
});

void t.test('what takes long to prove stays unlocked until the next write', async (t) => {
  const it = await lockedWorld();
  await it.letAge('/test', 40);
  await it.reclaim('/test', 40);
  t.match(it.problems(), [/mlocked memory is unlocked now/]);
  t.equal(await lockedPages(it), 0);
  await it.clock.advance(90_000);
  await it.reclaim('/test', 40);
  t.equal(it.ledger('/test')['mlock dropped'], pages(64));
  t.equal(await lockedPages(it), pages(64));
});

void t.test('without a next write the locks are given back in time, and when the daemon ends', async (t) => {
  for (const end of ['time', 'stop'] as const) {
    const it = await lockedWorld();
    await it.reclaim('/test', 40);
    t.equal(await lockedPages(it), 0);
    if (end === 'time') await it.clock.advance(4 * 40_000 + 60_000);
    else await it.engine.stop();
    t.equal(await lockedPages(it), pages(64), end);
    t.equal(it.journal.at(-1)?.length, 0);
  }
});

void t.test('a process that must not be touched keeps its locks, with the reason; others go on', async (t) => {
  const it = await lockedWorld();
  it.machine.mlock.refusals.set(it.pid, 'it has a seccomp filter');
  it.machine.anon('/test', { mib: 8, pid: it.machine.task('/test'), mlocked: true });
  it.engine.noteColdness(it.at('/test'), { lastAgePeriods: 1 });
  await it.reclaim('/test', 1);
  t.same(it.problems(), [`/test: process ${it.pid} keeps mlocked memory: it has a seccomp filter`]);
  t.equal(it.engine.mlocked.processesLeftAlone, 1);
  t.equal(it.ledger('/test')['mlock dropped'], pages(8));
});

void t.test('a process that cannot be stopped when it is to get its locks back gets them later', async (t) => {
  const it = await lockedWorld();
  await it.reclaim('/test', 40);
  it.machine.mlock.refusals.set(it.pid, 'its main thread does not stop');
  await it.clock.advance(4 * 40_000 + 60_000);
  t.equal(await lockedPages(it), 0);
  t.not(it.journal.at(-1)?.length, 0, 'it is still owed');
  it.machine.mlock.refusals.clear();
  await it.clock.advance(10_000);
  t.equal(await lockedPages(it), pages(64));
});

void t.test('a run that is cancelled gives the locks back', async (t) => {
  const it = await lockedWorld();
  const controller = new AbortController();
  const run = it.engine.reclaimMemcg(it.at('/test'), 5, Infinity, controller.signal);
  run.catch(() => undefined);
  await it.clock.advance(1500);
  t.equal(await lockedPages(it), 0);
  controller.abort();
  await t.rejects(it.clock.finish(run), { code: 'CANCELLED' });
  t.equal(await lockedPages(it), pages(64));
});

void t.test('it takes the flag and the setting, and where the gate is strict the flag of the memcg', async (t) => {
  const untouched = async (it: World & { readonly pid: number }, told: RegExp[]): Promise<void> => {
    await it.reclaim('/test', 1);
    t.equal(it.ledger('/test')['mlock dropped'], undefined);
    t.match(it.problems().join('\n'), told[0] ?? '');
  };
  const unflagged = await lockedWorld();
  unflagged.engine.global.flags = 0;
  await untouched(unflagged, []);
  await untouched(await lockedWorld({ lockJournal: undefined as never }), [/--allow-mlocked/]);
  const gated = await lockedWorld({ flagsGate: 'strict' });
  gated.engine.noteColdness(gated.at('/test'), { flags: 0x7_0000_0001n });
  await untouched(gated, []);
  gated.engine.noteColdness(gated.at('/test'), { flags: 0xf_0000_0001n });
  await gated.reclaim('/test', 1);
  t.equal(gated.ledger('/test')['mlock dropped'], pages(64));
});
