import t from 'tap';
import { never, pages, refused, type World, world } from './world.js';

/** A world where mode asks for page cache and compaction, with 16 MiB of cold page cache whose pages come free in small blocks. */
async function fragmenting(mode = 0x101): Promise<World> {
  const it = await world();
  it.engine.global.mode = mode;
  it.machine.file('/test', { mib: 16 });
  it.machine.hooks.afterEviction = (_command, freedPages) => {
    it.machine.fragmentation.blocks[1] = (it.machine.fragmentation.blocks[1] ?? 0) + freedPages / 2;
  };
  await it.periods(6);
  return it;
}

void t.test('after a run that freed a huge page’s worth in small blocks its node is compacted', async (t) => {
  for (const run of ['memcg', 'all'] as const) {
    const it = await fragmenting();
    await (run === 'memcg' ? it.reclaim('/test', 2) : it.reclaimAll(2));
    t.same(it.machine.compactedNodes, [0]);
    t.equal(it.machine.fragmentation.blocks[1], 0);
  }
});

void t.test('not without bit 8 of mode, for less than that, or where what was freed is in large blocks', async (t) => {
  for (const [mode, limitPages, joined] of [
    [0x1, Infinity, false],
    [0x101, 448, false],
    [0x101, Infinity, true],
  ] as const) {
    const it = await fragmenting(mode);
    if (joined) it.machine.hooks.afterEviction = undefined;
    await it.reclaim('/test', 2, limitPages * 4096);
    t.same(it.machine.compactedNodes, [], `mode ${mode}, at most ${limitPages} pages`);
  }
});

void t.test('a compaction that cannot be had after a run is told of, and the run is good', async (t) => {
  const it = await fragmenting();
  it.machine.failNext('compact', refused('EIO', 'no shell'));
  await it.reclaim('/test', 2);
  t.equal(it.ledger('/test')['pagecache dropped'], pages(16));
  t.match(it.problems(), [/^\/test: not compacted after the run: no shell/]);
});

void t.test('a write that is cancelled kills its compaction', async (t) => {
  const it = await fragmenting();
  it.machine.fragmentation.compactionMs = 60_000;
  const control = new AbortController();
  const write = it.engine.reclaimMemcg(it.at('/test'), 2, Infinity, control.signal);
  await it.clock.advance(10_000);
  t.same(it.machine.compactedNodes, [0]);
  control.abort();
  await t.rejects(it.clock.finish(write), { code: 'CANCELLED', errno: 'EINTR' });
});

void t.test('an order: compacts until there is a free block of it, not at all where there is one', async (t) => {
  const it = await world();
  it.machine.fragmentation.blocks = [0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0];
  await it.clock.finish(it.engine.compactions.untilFree(8, never()));
  t.equal(it.machine.compactions, 0);
  await it.clock.finish(it.engine.compactions.untilFree(9, never()));
  t.same(it.machine.compactedNodes, [0]);
  t.same(it.problems(), []);
});

void t.test('and ends when that helps no more, which is told', async (t) => {
  const it = await world();
  it.machine.fragmentation.blocks = [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  await it.clock.finish(it.engine.compactions.untilFree(9, never()));
  t.equal(it.machine.compactions, 2);
  t.match(it.problems(), [/^compact: node 0 still has no free block of order 9/]);
});

void t.test('takes its turn with compactions by themselves, and needs no setting of theirs', async (t) => {
  const it = await world();
  it.engine.compactor.change({ disabled: false, period_secs: 10, compact_force_times: 0 });
  it.machine.fragmentation.compactionMs = 20_000;
  await it.clock.advance(12_000);
  t.equal(it.machine.compactions, 1);
  const request = it.engine.compactions.all(never());
  await it.clock.advance(5000);
  t.equal(it.machine.compactions, 1, 'waits');
  await it.clock.finish(request);
  t.ok(it.machine.compactions >= 2);
});
