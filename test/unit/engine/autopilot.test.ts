import t from 'tap';
import type { PeriodEnd, Watched } from '../../../src/engine/autopilot-book.js';
import type { MemcgSettings } from '../../../src/engine/autopilot-settings.js';
import type { EvictCommand } from '../../../src/kernel/kernel.js';
import { mib } from '../../../src/kernel/simulated/bytes.js';
import type { PageSet } from '../../../src/kernel/simulated/page-set.js';
import { never, pages, refused, type World, world, type WorldOptions } from './world.js';

const periodSecs = 10;

/** A world whose autopilot is on, and every eviction command with the time it came. */
async function flown(change: Partial<MemcgSettings> = {}, options: WorldOptions = {}) {
  const it = await world(options);
  const evictions: (EvictCommand & { readonly atMs: number })[] = [];
  it.machine.hooks.beforeEviction = (command) => void evictions.push({ ...command, atMs: it.clock.nowMs() });
  it.engine.autopilot.change({ settings: { disabled: false, period_secs: periodSecs, ...change } });
  return { it, evictions };
}

function evicted(it: World, set: PageSet): number {
  const { swap, storage } = it.machine.where(set);
  return swap + storage;
}

function watched(it: World, path: string, node = 0): Watched {
  const found = [...it.engine.autopilot.book.all()].find((one) => one.memcg.path === path && one.node === node);
  if (!found) throw new Error(`the autopilot does not know ${path}`);
  return found;
}

function ends(it: World, path: string): PeriodEnd[] {
  return [...watched(it, path).ends.keys()];
}

/** From now on no pressure can be read, until what it answers is called. */
function hidePressure(it: World): () => void {
  const { pressure } = it.machine.kernel;
  const totals = pressure.totals.bind(pressure);
  pressure.totals = () => Promise.reject(refused('EOPNOTSUPP', 'hidden'));
  return () => void (pressure.totals = totals);
}

void t.test('a mounted tree alone reclaims nothing: the autopilot is off until somebody asks for it', async (t) => {
  const it = await world();
  const file = it.machine.file('/test', { mib: 16 });
  await it.periods(200);
  t.equal(evicted(it, file), 0);
  await t.rejects(it.engine.autopilot.runNow(never()), { code: 'BAD_VALUE' });
});

void t.test('cold page cache goes after three agings in a row, not before, and memory in use stays', async (t) => {
  const { it, evictions } = await flown();
  const cold = it.machine.file('/test', { mib: 64 });
  const hot = it.machine.file('/test', { mib: 32, access: 'mapped', touchedEveryMs: 500 });
  const anon = it.machine.anon('/test', { mib: 32 });
  await it.periods(8);
  t.equal(evicted(it, cold), pages(64));
  t.equal(evicted(it, hot), 0);
  t.equal(evicted(it, anon), 0, 'swap is off');
  t.ok((evictions[0]?.atMs ?? 0) >= 2 * 0.95 * periodSecs * 1000);
  t.ok((evictions[0]?.atMs ?? Infinity) <= 4 * periodSecs * 1000 + 5000);
  t.same(watched(it, '/test').evictedPages, { anon: 0, file: pages(64) });
  t.same(ends(it, '/test').slice(0, 2), ['too_few_agings', 'done']);
  t.same(it.ledger('/test'), { 'pagecache dropped': pages(64) });
});

void t.test('the promise holds whatever the number of agings asked for', async (t) => {
  for (const count of [1, 2, 3, 4, 7, 20]) {
    const { it, evictions } = await flown({ eviction_run_aging_count_min: count });
    const cold = it.machine.file('/test', { mib: 4 });
    await it.periods(4 * count + 6);
    t.equal(evicted(it, cold), pages(4), `${count} agings`);
    const soonestMs = Math.max(1, count - 1) * periodSecs * 1000 * 0.95;
    t.ok((evictions[0]?.atMs ?? 0) >= soonestMs, `${count} agings: ${evictions[0]?.atMs}`);
  }
});

void t.test(
  'with swap, anonymous memory goes as well; swappiness_max bounds its share while there is page cache',
  async (t) => {
    for (const [swappinessMax, firstRunPages] of [
      [200, pages(64)],
      [100, pages(32)],
      [50, Math.floor(pages(32) / 3)],
      [0, 0],
    ] as const) {
      const { it } = await flown({ swap: true, swappiness_max: swappinessMax });
      const anon = it.machine.anon('/test', { mib: 64 });
      const file = it.machine.file('/test', { mib: 32 });
      let afterFirst: number | undefined;
      for (let period = 0; period < 12 && afterFirst === undefined; period++) {
        await it.periods(1);
        if (watched(it, '/test').ends.get('done') === 1) afterFirst = evicted(it, anon);
      }
      t.ok(Math.abs((afterFirst ?? -1) - firstRunPages) < 64, `swappiness_max ${swappinessMax}: ${afterFirst}`);
      await it.periods(4);
      t.equal(evicted(it, file), pages(32));
      t.equal(evicted(it, anon), pages(64), 'without page cache all of it goes');
    }
  },
);

void t.test(
  'pressure above the limit over a period forbids the run; the next period is judged by itself',
  async (t) => {
    const { it } = await flown({ period_psi_percent_limit: 2, eviction_psi_percent_limit: 2 });
    const cold = it.machine.file('/test', { mib: 16 });
    it.machine.pressure('/test', { io: 2.5 });
    await it.periods(8);
    t.equal(evicted(it, cold), 0);
    t.same(ends(it, '/test'), ['period_psi_exceeds_limit']);
    it.machine.pressure('/test', { io: 2 });
    await it.periods(2);
    t.equal(evicted(it, cold), pages(16));
  },
);

void t.test('pressure of a child is not its parent’s; that of the machine is the root’s', async (t) => {
  const { it } = await flown({ period_psi_percent_limit: 2 });
  const [inParent, inChild, inRoot] = ['/pod', '/pod/busy', '/'].map((path) => it.machine.file(path, { mib: 16 }));
  it.machine.pressure('/pod/busy', { memory: 40 });
  await it.periods(8);
  t.same(
    [inParent, inChild, inRoot].map((set) => set && evicted(it, set)),
    [pages(16), 0, 0],
  );
});

void t.test('pressure that rises during an eviction ends it within a step', async (t) => {
  const { it, evictions } = await flown({}, { evictionMsPerMib: 20 });
  const cold = it.machine.file('/test', { mib: 512 });
  let pressed = 0;
  it.machine.hooks.afterEviction = (_command, freed) => {
    if (pressed > 0) pressed++;
    if (freed > 64 && pressed === 0) {
      it.machine.pressure('/test', { memory: 30 });
      pressed = 1;
    }
  };
  await it.periods(4);
  t.same(ends(it, '/test').includes('psi_exceeds_limit'), true);
  t.ok(pressed <= 2, `${pressed - 1} commands after the pressure rose`);
  t.ok(evicted(it, cold) < pages(512));
  const commands = evictions.length;
  await it.periods(0.5);
  t.equal(evictions.length, commands, 'not before the next period');
});

void t.test('a GiB goes in a few dozen commands, and the listing is not read for each page batch', async (t) => {
  const { it, evictions } = await flown();
  let reads = 0;
  const { lruGen } = it.machine.kernel;
  const readOne = lruGen.readOne.bind(lruGen);
  lruGen.readOne = (path) => {
    reads++;
    return readOne(path);
  };
  const cold = it.machine.file('/test', { mib: 1024 });
  await it.periods(6);
  t.equal(evicted(it, cold), pages(1024));
  t.ok(evictions.length <= 64, `${evictions.length} commands`);
  t.ok(reads <= 64, `${reads} readings`);
});

void t.test('overrides: a memcg of its own settings, below it too unless no-subdir, by node', async (t) => {
  const { it } = await flown({ disabled: true }, { nodes: 2 });
  const sets = Object.fromEntries(
    ['/pod', '/pod/a', '/alone', '/alone/a', '/other'].flatMap((path) =>
      [0, 1].map((node) => [`${path} ${node}`, it.machine.file(path, { mib: 8, node })]),
    ),
  );
  it.engine.autopilot.change({
    overrides: [
      { path: '/pod', nodes: [], noSubdir: false, settings: { disabled: false } },
      { path: '/pod/a', nodes: [1], noSubdir: false, settings: { disabled: true } },
      { path: '/alone', nodes: [0], noSubdir: true, settings: { disabled: false } },
    ],
  });
  await it.periods(8);
  const gone = Object.keys(sets).filter((key) => sets[key] && evicted(it, sets[key]) > 0);
  t.same(gone, ['/pod 0', '/pod 1', '/pod/a 0', '/alone 0']);
});

void t.test('a memcg that vanishes in any phase is nobody else’s problem', async (t) => {
  for (const phase of ['beforeAging', 'beforeEviction', 'afterEviction'] as const) {
    const { it } = await flown();
    it.machine.file('/gone', { mib: 64 });
    const other = it.machine.file('/other', { mib: 64 });
    it.machine.hooks[phase] = ({ path }: { readonly path: string }) => {
      if (path === '/gone' && it.engine.memcgAt('/gone')) it.machine.rmdir('/gone');
    };
    await it.periods(8);
    t.notOk(it.engine.memcgAt('/gone'), `${phase}: it vanished`);
    t.equal(evicted(it, other), pages(64), phase);
  }
});

void t.test('swap that is full or not there: page cache goes, the reason is counted', async (t) => {
  const { it } = await flown({ swap: true, swappiness_max: 200 }, { swapBytes: mib(32) });
  const anon = it.machine.anon('/test', { mib: 128 });
  const file = it.machine.file('/test', { mib: 16 });
  const without = it.machine.anon('/only-anon', { mib: 16 });
  await it.periods(10);
  t.equal(evicted(it, file), pages(16));
  t.ok(evicted(it, anon) + evicted(it, without) <= pages(32));
  t.ok(ends(it, '/test').includes('no_swap'));
});

void t.test('pressure files that disappear: nothing goes, it is counted, and goes on when they are back', async (t) => {
  for (const goneAfterMs of [0, 15_000]) {
    const { it } = await flown();
    const cold = it.machine.file('/test', { mib: 16 });
    await it.clock.advance(goneAfterMs);
    const show = hidePressure(it);
    await it.periods(8);
    t.equal(evicted(it, cold), 0);
    const { ends } = watched(it, '/test');
    t.ok((ends.get('psi_unreadable') ?? 0) >= 6, `each period: ${ends.get('psi_unreadable')}`);
    show();
    await it.periods(5);
    t.equal(evicted(it, cold), pages(16));
    t.notOk(ends.has('error'));
  }
});

void t.test('so in the middle of an eviction: it ends there', async (t) => {
  const { it } = await flown({}, { evictionMsPerMib: 20 });
  const cold = it.machine.file('/test', { mib: 512 });
  let show: (() => void) | undefined;
  it.machine.hooks.afterEviction = (_command, freed) => {
    if (freed > 64) show ??= hidePressure(it);
  };
  await it.periods(4);
  t.ok(evicted(it, cold) > 0);
  t.ok(evicted(it, cold) < pages(512));
  t.same(ends(it, '/test').includes('psi_unreadable'), true);
  t.notOk(watched(it, '/test').ends.has('error'));
  show?.();
  await it.periods(5);
  t.equal(evicted(it, cold), pages(512));
});

void t.test('a run that fails is counted and said, and the next period is as usual', async (t) => {
  const { it } = await flown();
  const cold = it.machine.file('/test', { mib: 16 });
  it.machine.failNext('evict', refused('EIO', 'broken'));
  await it.periods(10);
  t.equal(evicted(it, cold), pages(16));
  t.equal(watched(it, '/test').ends.get('error'), 1);
  t.match(it.problems()[0], /^\/test: not reclaimed by the autopilot/);
});

void t.test('a kernel without pressure stall information: enabling is refused with the parameter to set', async (t) => {
  const it = await world({ capabilities: { psi: false } });
  t.throws(() => it.engine.autopilot.change({ settings: { disabled: false } }), {
    code: 'NO_PRESSURE',
    message: /psi=1/,
  });
  t.throws(() => it.engine.compactor.change({ disabled: false }), { code: 'NO_PRESSURE' });
  t.equal(it.engine.autopilot.settings.disabled, true);
  it.engine.autopilot.change({ settings: { period_secs: 60 } });
});

void t.test('a shorter period does not make a run come sooner than a period from now', async (t) => {
  const { it, evictions } = await flown({ period_secs: 3600 });
  it.machine.file('/test', { mib: 16 });
  await it.clock.advance(3_500_000);
  it.engine.autopilot.change({ settings: { period_secs: 60 } });
  const changedMs = it.clock.nowMs();
  await it.clock.advance(59_000 * 0.95);
  t.equal(evictions.length, 0);
  await it.clock.advance(600_000);
  t.ok((evictions[0]?.atMs ?? 0) >= changedMs + 57_000);
});

void t.test('run does it now, under the same gates', async (t) => {
  const { it } = await flown({ period_secs: 100, eviction_run_aging_count_min: 2 });
  const cold = it.machine.file('/test', { mib: 16 });
  await it.clock.advance(50_000);
  await it.clock.finish(it.engine.autopilot.runNow(never()));
  t.equal(evicted(it, cold), 0, 'not cold yet');
  t.same(ends(it, '/test'), ['too_few_agings']);
  await it.clock.advance(175_000);
  t.equal(evicted(it, cold), 0);
  await it.clock.finish(it.engine.autopilot.runNow(never()));
  t.equal(evicted(it, cold), pages(16), 'though its period has not ended');
  it.machine.pressure('/test', { memory: 50 });
  await it.clock.finish(it.engine.autopilot.runNow(never()));
  t.ok(ends(it, '/test').includes('period_psi_exceeds_limit'));
});

void t.test('a run that is interrupted says so', async (t) => {
  const { it } = await flown({ period_secs: 100, eviction_run_aging_count_min: 2 }, { evictionMsPerMib: 20 });
  const cold = it.machine.file('/test', { mib: 512 });
  await it.clock.advance(50_000);
  await it.clock.finish(it.engine.autopilot.runNow(never()));
  await it.clock.advance(175_000);
  for (const afterMs of [100, 6000]) {
    const interrupted = new AbortController();
    const run = it.engine.autopilot.runNow(interrupted.signal);
    void run.catch(() => undefined);
    await it.clock.advance(afterMs);
    interrupted.abort();
    await t.rejects(it.clock.finish(run), { code: 'CANCELLED', errno: 'EINTR' });
  }
  t.ok(evicted(it, cold) < pages(512));
  t.ok(ends(it, '/test').includes('cancelled'));
});

void t.test('what is cold cannot be read: each period counts as an error, once, and says so once', async (t) => {
  const { it } = await flown();
  const cold = it.machine.file('/test', { mib: 16 });
  const { lruGen } = it.machine.kernel;
  const read = lruGen.read.bind(lruGen);
  await it.clock.advance(15_000);
  lruGen.read = () => Promise.reject(refused('EIO', 'broken'));
  await it.periods(5);
  const errors = watched(it, '/test').ends.get('error') ?? 0;
  t.ok(errors >= 3 && errors <= 5, `${errors} errors`);
  const said = it.problems().filter((problem) => problem.startsWith('mem_agent: '));
  t.ok(said.length <= 6, `said ${said.length} times`);
  lruGen.read = read;
  await it.periods(10);
  t.equal(evicted(it, cold), pages(16));
});

void t.test('a run that finds nothing cold any more ends as nothing_cold', async (t) => {
  const { it } = await flown();
  const file = it.machine.file('/test', { mib: 16 });
  const { lruGen } = it.machine.kernel;
  const readOne = lruGen.readOne.bind(lruGen);
  // As after an aging by somebody else, and another.
  lruGen.readOne = async (path) => {
    const listed = await readOne(path);
    const young = listed?.nodes.map((one) => ({
      ...one,
      generations: one.generations.map((generation) => ({ ...generation, ageMs: 0 })),
    }));
    return listed && young && { ...listed, nodes: young };
  };
  await it.periods(8);
  t.equal(evicted(it, file), 0);
  t.ok(ends(it, '/test').includes('nothing_cold'), ends(it, '/test').join(' '));
  t.notOk(ends(it, '/test').includes('in_use'));
});

void t.test('a long run of one memcg does not hold up the periods of the others', async (t) => {
  const { it } = await flown({}, { evictionMsPerMib: 100 });
  const slow = it.machine.file('/slow', { mib: 2048 });
  it.machine.file('/quick', { mib: 1 });
  await it.periods(5);
  t.ok(evicted(it, slow) > 0);
  const ended = (path: string): number => [...watched(it, path).ends.values()].reduce((sum, one) => sum + one, 0);
  const before = { slow: ended('/slow'), quick: ended('/quick') };
  await it.periods(10);
  t.ok(evicted(it, slow) < pages(2048), 'the run goes on');
  t.equal(ended('/slow'), before.slow);
  t.ok(ended('/quick') - before.quick >= 9, `${ended('/quick') - before.quick} periods of the other one`);
  const late = it.machine.file('/late', { mib: 4 });
  const run = it.engine.autopilot.runNow(never());
  let hasEnded = false;
  void run.then(() => (hasEnded = true));
  await it.periods(6);
  t.equal(evicted(it, late), pages(4));
  t.notOk(hasEnded, 'a run by hand waits for those that were under way');
  await it.clock.finish(run);
  t.equal(evicted(it, slow), pages(2048));
});

void t.test('the memcg of coldpgs itself is left alone', async (t) => {
  const { it } = await flown();
  const own = it.machine.file('/system.slice/coldpgs.service', { mib: 16 });
  await it.periods(10);
  t.equal(evicted(it, own), 0);
});

void t.test('disabled in the middle of a run: it ends', async (t) => {
  const { it } = await flown({}, { evictionMsPerMib: 10 });
  const cold = it.machine.file('/test', { mib: 512 });
  it.machine.hooks.afterEviction = () => {
    if (!it.engine.autopilot.settings.disabled) it.engine.autopilot.change({ settings: { disabled: true } });
  };
  await it.periods(10);
  t.ok(evicted(it, cold) <= pages(16));
  t.same([...it.engine.autopilot.book.ends.keys()].includes('disabled'), true);
});

void t.test('a manual write and the autopilot on one memcg take turns', async (t) => {
  const { it } = await flown({}, { evictionMsPerMib: 20 });
  it.engine.global.mode = 1;
  it.machine.file('/test', { mib: 256 });
  let inside = 0;
  let most = 0;
  it.machine.hooks.beforeEviction = () => void (most = Math.max(most, ++inside));
  it.machine.hooks.afterEviction = () => void inside--;
  await it.clock.advance(32_000);
  await it.reclaim('/test', 1);
  await it.periods(3);
  t.equal(most, 1);
});
