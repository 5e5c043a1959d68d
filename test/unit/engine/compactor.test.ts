import t from 'tap';
import type { CompactSettings } from '../../../src/engine/autopilot-settings.js';
import { never, refused, type World, world } from './world.js';

/** A world in which compactions are on, every 100 s. */
async function compacting(change: Partial<CompactSettings> = {}): Promise<World> {
  const it = await world();
  it.engine.compactor.change({ disabled: false, period_secs: 100, ...change });
  await it.clock.advance(0);
  return it;
}

/** So many free pages in blocks of one page. */
function fragment(it: World, freePages: number): void {
  it.machine.fragmentation.blocks[0] = freePages;
}

void t.test('fragments of more than the threshold are joined, and what was gained is told', async (t) => {
  const it = await compacting();
  fragment(it, 4096);
  await it.clock.advance(99_000);
  t.equal(it.machine.compactions, 0, 'not before the period has ended');
  await it.clock.advance(10_000);
  t.equal(it.machine.compactions, 1);
  t.match(it.engine.compactor.lastRun, { reason: 'fragmented', outcome: 'done', blocksGained: 8 });
  await it.clock.advance(1_000_000);
  t.equal(it.machine.compactions, 1, 'nothing more to join');
  t.equal(it.engine.compactor.lastPeriod?.reason, 'not_fragmented');
});

void t.test('passes go on while one gains enough to be worth the next', async (t) => {
  for (const [joinedAtOnce, passes, blocksGained] of [
    [8192 - 512, 2, 30],
    [8192, 4, 64],
    [16384, 2, 64],
    [32768, 1, 64],
  ] as const) {
    const it = await compacting();
    fragment(it, 32768);
    it.machine.fragmentation.joinedAtOnce = joinedAtOnce;
    await it.clock.finish(it.engine.compactor.runNow(never()));
    t.equal(it.machine.compactions, passes);
    t.match(it.engine.compactor.lastRun, { outcome: 'done', blocksGained });
  }
});

void t.test('and their time counts together', async (t) => {
  const it = await compacting({ compact_sec_max: 5 });
  fragment(it, 32768);
  Object.assign(it.machine.fragmentation, { joinedAtOnce: 8192, compactionMs: 3000 });
  await it.clock.finish(it.engine.compactor.runNow(never()));
  t.equal(it.machine.compactions, 2);
  t.match(it.engine.compactor.lastRun, { outcome: 'too_long', blocksGained: 16 });
});

void t.test('fragments are counted from what the last compaction left; so is the fall of free memory', async (t) => {
  const it = await compacting({ compact_threshold: 1000 });
  fragment(it, 1000);
  await it.clock.advance(110_000);
  t.equal(it.machine.compactions, 0, 'as many as the threshold are not more');
  fragment(it, 1001);
  await it.clock.advance(100_000);
  t.equal(it.machine.compactions, 1);
  const { blocks } = it.machine.fragmentation;
  blocks[10] = (blocks[10] ?? 0) - 1;
  await it.clock.advance(100_000);
  t.equal(it.engine.compactor.lastRun?.reason, 'free_memory_fell');
});

void t.test('more pressure than the limit over the period forbids it', async (t) => {
  const it = await compacting();
  fragment(it, 4096);
  it.machine.pressure('/anywhere', { io: 1.5 });
  await it.clock.advance(500_000);
  t.equal(it.machine.compactions, 0);
  t.match(it.engine.compactor.lastPeriod, { ran: false, reason: 'period_psi_exceeds_limit', pressurePercent: 1.5 });
});

void t.test('pressure during a compaction kills it within two seconds', async (t) => {
  const it = await compacting();
  fragment(it, 4096);
  it.machine.fragmentation.compactionMs = 60_000;
  await it.clock.advance(105_000);
  t.equal(it.machine.compactions, 1);
  it.machine.pressure('/anywhere', { memory: 20 });
  await it.clock.advance(2000);
  t.match(it.engine.compactor.lastRun, { outcome: 'psi_exceeds_limit' });
});

void t.test('a compaction that takes longer than compact_sec_max is killed', async (t) => {
  const it = await compacting({ compact_sec_max: 5 });
  fragment(it, 4096);
  it.machine.fragmentation.compactionMs = 60_000;
  await it.clock.advance(107_000);
  t.match(it.engine.compactor.lastRun, { outcome: 'too_long' });
  t.ok((it.engine.compactor.lastRun?.tookMs ?? Infinity) <= 6000);
});

void t.test('a process that does not die is left to itself, and no second one is started beside it', async (t) => {
  const it = await compacting({ compact_sec_max: 5, compact_force_times: 0 });
  Object.assign(it.machine.fragmentation, { compactionMs: 500_000, endsWhenKilled: false });
  await it.clock.advance(450_000);
  t.equal(it.engine.compactor.lastRun?.outcome, 'does_not_end');
  t.equal(it.engine.compactor.lastPeriod?.reason, 'still_running');
  t.equal(it.machine.compactions, 1);
  await it.clock.advance(400_000);
  t.ok(it.machine.compactions > 1, 'once it has ended, compactions go on');
});

void t.test('compact_force_times: 0 is each period, n is after n without, never is never', async (t) => {
  for (const [times, expected] of [
    [0, 10],
    [3, 2],
    [Infinity, 0],
  ] as const) {
    const it = await compacting({ compact_force_times: times });
    await it.clock.advance(1_090_000);
    t.equal(it.machine.compactions, expected, `compact_force_times ${times}`);
  }
});

void t.test('a failure is counted, and the next period is as usual', async (t) => {
  for (const [fault, reason] of [
    ['compact', 'error'],
    ['freeMemory', 'error'],
    ['pressure', 'psi_unreadable'],
  ] as const) {
    const it = await compacting();
    fragment(it, 4096);
    await it.clock.advance(50_000);
    it.machine.failNext(fault, refused('EIO', 'broken'));
    await it.clock.advance(400_000);
    t.equal(it.engine.compactor.reasons.get(reason), 1, fault);
    t.equal(
      [...it.engine.compactor.reasons.values()].reduce((sum, one) => sum + one),
      4,
      'each period counts once',
    );
    t.equal(it.machine.compactions, 1, fault);
  }
});

void t.test('a compaction is on record though what it left cannot be read', async (t) => {
  const it = await compacting();
  fragment(it, 4096);
  await it.clock.advance(101_000);
  it.machine.failNext('freeMemory', refused('EIO', 'broken'));
  await it.clock.advance(10_000);
  t.match(it.engine.compactor.lastRun, { reason: 'fragmented', outcome: 'done', blocksGained: 8 });
  t.same([...it.engine.compactor.outcomes], [['done', 1]]);
  t.same([...it.engine.compactor.reasons], [['fragmented', 1]]);
});

void t.test('a run that is interrupted says so', async (t) => {
  const it = await compacting();
  fragment(it, 4096);
  it.machine.fragmentation.compactionMs = 60_000;
  for (const afterMs of [500, 5000]) {
    const interrupted = new AbortController();
    const run = it.engine.compactor.runNow(interrupted.signal);
    void run.catch(() => undefined);
    await it.clock.advance(afterMs);
    interrupted.abort();
    await t.rejects(it.clock.finish(run), { code: 'CANCELLED', errno: 'EINTR' });
  }
  t.equal(it.engine.compactor.lastRun?.outcome, 'cancelled');
});

void t.test('pressure that cannot be read: counted as that, at each look, and nothing stops for good', async (t) => {
  const it = await compacting();
  const { pressure } = it.machine.kernel;
  const totals = pressure.totals.bind(pressure);
  const hide = (): void => void (pressure.totals = () => Promise.reject(refused('EOPNOTSUPP', 'hidden')));
  hide();
  await it.clock.advance(310_000);
  t.same(
    [...it.engine.compactor.reasons],
    [['psi_unreadable', 3]],
    'at the end of a period, and at the beginning of the next',
  );
  fragment(it, 4096);
  it.machine.fragmentation.compactionMs = 60_000;
  pressure.totals = totals;
  await it.clock.advance(210_000);
  t.equal(it.machine.compactions, 1);
  hide();
  await it.clock.advance(5000);
  t.match(it.engine.compactor.lastRun, { outcome: 'psi_unreadable' });
  pressure.totals = totals;
  fragment(it, 32_768);
  await it.clock.advance(400_000);
  t.equal(it.engine.compactor.lastRun?.outcome, 'done');
});

void t.test('run does it now; disabling kills it', async (t) => {
  const it = await compacting();
  fragment(it, 4096);
  await it.clock.finish(it.engine.compactor.runNow(never()));
  t.equal(it.machine.compactions, 1);
  fragment(it, 4096);
  it.machine.fragmentation.compactionMs = 60_000;
  await it.clock.advance(110_000);
  t.equal(it.machine.compactions, 2);
  it.engine.compactor.change({ disabled: true });
  await it.clock.advance(2000);
  t.equal(it.engine.compactor.lastRun?.outcome, 'disabled');
  await t.rejects(it.engine.compactor.runNow(never()), { code: 'BAD_VALUE' });
});
