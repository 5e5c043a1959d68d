import t from 'tap';
import type { EvictCommand } from '../../../src/kernel/kernel.js';
import { mib } from '../../../src/kernel/simulated/bytes.js';
import type { PageSet } from '../../../src/kernel/simulated/page-set.js';
import { never, pages, periodMs, refused, type World, world, type WorldOptions } from './world.js';

/** What a run may take more than its limit: the kernel frees whole batches. */
const batchPages = 64;

/** A world with this mode, and every eviction command with the time it came. */
async function watched(options: WorldOptions & { readonly mode?: number } = {}) {
  const { mode = 3, ...machine } = options;
  const it = await world(machine);
  it.engine.global.mode = mode;
  const commands: (EvictCommand & { readonly atMs: number })[] = [];
  it.machine.hooks.beforeEviction = (command) => void commands.push({ ...command, atMs: it.clock.nowMs() });
  return { it, commands };
}

/** Pages of a set that were evicted. */
function evicted(it: World, set: PageSet): number {
  const { swap, storage } = it.machine.where(set);
  return swap + storage;
}

void t.test('mode says which types go: page cache, anonymous memory, or both', async (t) => {
  for (const release of ['6.12.0', '7.2.0'])
    for (const [mode, anonGoes, fileGoes] of [
      [1, 0, 1],
      [2, 1, 0],
      [3, 1, 1],
    ] as const)
      await t.test(`mode ${mode} on ${release}`, async (t) => {
        const { it } = await watched({ mode, release });
        const anon = it.machine.anon('/test', { mib: 32 });
        const file = it.machine.file('/test', { mib: 32 });
        await it.letAge('/test', 2);
        await it.reclaim('/test', 2);
        t.same([evicted(it, anon), evicted(it, file)], [anonGoes * pages(32), fileGoes * pages(32)]);
        t.same(it.ledger('/test'), {
          ...(anonGoes && { 'anon swap out': pages(32) }),
          ...(fileGoes && { 'pagecache dropped': pages(32) }),
        });
        t.same(it.problems(), []);
      });
});

void t.test('what is in use stays: anonymous memory, mapped files, and files used through read()', async (t) => {
  for (const release of ['6.12.0', '7.2.0'])
    await t.test(release, async (t) => {
      const { it } = await watched({ release, newCacheIsOld: true });
      const anon = it.machine.anon('/test', { mib: 32, touchedEveryMs: 500 });
      const mapped = it.machine.file('/test', { mib: 32, access: 'mapped', touchedEveryMs: 500 });
      const read = it.machine.file('/test', { mib: 64, touchedEveryMs: 500 });
      const cold = [it.machine.anon('/test', { mib: 64 }), it.machine.file('/test', { mib: 64 })];
      await it.letAge('/test', 2);
      let lostInUse = 0;
      it.machine.hooks.afterEviction = () => {
        lostInUse += [anon, mapped, read].reduce((sum, set) => sum + evicted(it, set), 0);
      };
      await it.reclaim('/test', 2);
      for (const set of cold) t.ok(evicted(it, set) > pages(60), `${evicted(it, set)} of ${pages(64)} cold pages went`);
      t.ok(lostInUse <= pages(4), `${lostInUse} of ${pages(128)} pages in use`);
      t.same([evicted(it, anon), evicted(it, mapped)], [0, 0]);
    });
});

void t.test('where all page cache is in use, a probe or two is all that goes, and the reason is told', async (t) => {
  const { it } = await watched({ mode: 1, newCacheIsOld: true });
  it.machine.file('/test', { mib: 64, touchedEveryMs: 500 });
  await it.letAge('/test', 2);
  await it.reclaim('/test', 2);
  t.ok((it.ledger('/test')['pagecache dropped'] ?? 0) < pages(2));
});

void t.test('page cache read a moment ago is not cold, though the kernel puts it among the oldest', async (t) => {
  for (const release of ['6.12.0', '7.2.0'])
    await t.test(release, async (t) => {
      const { it } = await watched({ mode: 1, release, newCacheIsOld: true });
      const old = it.machine.file('/test', { mib: 32 });
      await it.letAge('/test', 2);
      const fresh = it.machine.file('/test', { mib: 256 });
      await it.reclaim('/test', 2);
      t.ok(evicted(it, old) + evicted(it, fresh) <= pages(32) + batchPages, 'no more than was there long enough');
    });
});

void t.test('a threshold that is not proven yet evicts nothing, says so, and is proven later', async (t) => {
  const { it, commands } = await watched();
  const set = it.machine.anon('/test', { mib: 32 });
  await it.periods(3);
  await it.reclaim('/test', 8);
  t.same(commands, []);
  t.equal(evicted(it, set), 0);
  t.match(it.problems(), [/^\/test: nothing is proven idle for 8 periods \(80 s\) yet/]);
  await it.letAge('/test', 8);
  await it.reclaim('/test', 8);
  t.equal(evicted(it, set), pages(32));
  t.equal(it.problems().length, 1);
});

void t.test('every threshold takes what is that old and leaves what is not', async (t) => {
  for (const agePeriods of [1, 2, 3, 10, 255])
    await t.test(`threshold ${agePeriods}`, async (t) => {
      const { it } = await watched({ mode: 2 });
      const old = it.machine.anon('/test', { mib: 16 });
      await it.letAge('/test', agePeriods);
      const young = it.machine.anon('/test', { mib: 16 });
      await it.clock.advance(agePeriods * periodMs - 5000);
      await it.reclaim('/test', agePeriods);
      t.same([evicted(it, old), evicted(it, young)], [pages(16), 0]);
    });
});

void t.test('a limit is kept, but for one batch of the kernel; less than a page is nothing', async (t) => {
  for (const limitPages of [1, 100, 5000])
    await t.test(`${limitPages} pages`, async (t) => {
      const { it } = await watched();
      it.machine.anon('/test', { mib: 64 });
      it.machine.file('/test', { mib: 64 });
      await it.letAge('/test', 2);
      await it.reclaim('/test', 2, limitPages * 4096 + 4095);
      const freed = Object.values(it.ledger('/test')).reduce((sum, one) => sum + one, 0);
      t.ok(freed >= limitPages && freed < limitPages + batchPages, `${freed} pages`);
    });
  const { it, commands } = await watched();
  it.machine.anon('/test', { mib: 64 });
  await it.letAge('/test', 2);
  await it.reclaim('/test', 2, 4095);
  t.same(commands, []);
});

void t.test(
  'the first step is 128 batches; steps double while nothing comes back, up to eight times the first',
  async (t) => {
    const { it, commands } = await watched();
    it.engine.global.batch = 2;
    it.machine.file('/test', { mib: 64 });
    await it.letAge('/test', 2);
    await it.reclaim('/test', 2);
    const steps = commands.slice(1).map((one) => one.pages);
    t.same(steps.slice(0, 5), [256, 512, 1024, 2048, 2048]);
    t.equal(it.ledger('/test')['pagecache dropped'], pages(64));
  },
);

void t.test('no eviction comes sooner than 1.5 s after an aging', async (t) => {
  const { it, commands } = await watched();
  it.machine.anon('/test', { mib: 8 });
  it.machine.anon('/test', { mib: 8, touchedEveryMs: 500 });
  let agedMs = 0;
  it.machine.hooks.beforeAging = ({ path }) => {
    if (path === '/test') agedMs = it.clock.nowMs();
  };
  await it.letAge('/test', 2);
  t.equal(it.clock.nowMs(), agedMs, 'it was aged just now');
  await it.reclaim('/test', 2);
  t.equal((commands[0]?.atMs ?? 0) - agedMs, 1500);
});

void t.test('a probe comes first and is looked at for a second; a good one counts for the whole period', async (t) => {
  const { it, commands } = await watched({ mode: 1 });
  it.machine.file('/test', { mib: 8 });
  it.machine.file('/test', { mib: 8 });
  await it.letAge('/test', 2);
  await it.reclaim('/test', 2, mib(4));
  const [probe, step] = commands;
  t.ok((probe?.pages ?? Infinity) <= 256, 'small');
  t.ok((step?.atMs ?? 0) - (probe?.atMs ?? 0) >= 1000);
  const before = it.clock.nowMs();
  await it.reclaim('/test', 2, mib(4));
  t.equal(it.clock.nowMs(), before, 'no wait the second time');
});

void t.test('cancelled in the middle: the run stops, and what it freed is in the ledger', async (t) => {
  const { it } = await watched({ mode: 1, evictionMsPerMib: 10 });
  const set = it.machine.file('/test', { mib: 512 });
  await it.letAge('/test', 2);
  const control = new AbortController();
  const run = it.engine.reclaimMemcg(it.at('/test'), 2, Infinity, control.signal);
  await it.clock.advance(4000);
  control.abort();
  await t.rejects(it.clock.finish(run), { code: 'CANCELLED', errno: 'EINTR', message: '/test' });
  t.ok(evicted(it, set) > 0 && evicted(it, set) < pages(512));
  t.equal(it.ledger('/test')['pagecache dropped'], evicted(it, set));
});

void t.test('a second run of the same memcg waits for the first; cancelled, it never begins', async (t) => {
  const { it } = await watched({ mode: 1, evictionMsPerMib: 10 });
  it.machine.file('/test', { mib: 256 });
  await it.letAge('/test', 2);
  const control = new AbortController();
  const first = it.engine.reclaimMemcg(it.at('/test'), 2, Infinity, never());
  const second = it.engine.reclaimMemcg(it.at('/test'), 2, Infinity, control.signal);
  await it.clock.advance(1000);
  control.abort();
  await t.rejects(second, { code: 'CANCELLED', errno: 'EINTR' });
  await it.clock.finish(first);
  t.equal(it.ledger('/test')['pagecache dropped'], pages(256));
});

void t.test('the memcg is removed in the middle, with or without another at its path: MEMCG_GONE', async (t) => {
  for (const reborn of [false, true])
    for (const release of ['6.12.0', '7.2.0'])
      await t.test(`${release}, ${reborn ? 'made again' : 'gone'}`, async (t) => {
        const { it, commands } = await watched({ mode: 1, release, evictionMsPerMib: 10 });
        it.machine.file('/test', { mib: 512 });
        await it.letAge('/test', 2);
        const run = it.engine.reclaimMemcg(it.at('/test'), 2, Infinity, never());
        await it.clock.advance(4000);
        it.machine.rmdir('/test');
        const other = reborn ? it.machine.file('/test', { mib: 64 }) : undefined;
        const before = commands.length;
        await t.rejects(it.clock.finish(run), { code: 'MEMCG_GONE', errno: 'ENOENT' });
        if (other) t.equal(evicted(it, other), 0, 'what is there now is not touched');
        t.ok(commands.length <= before + 1);
      });
});

void t.test('a step that the kernel refuses with EINVAL is an empty one; the run goes on', async (t) => {
  const { it } = await watched({ mode: 1 });
  const set = it.machine.file('/test', { mib: 64 });
  await it.letAge('/test', 2);
  it.machine.failNext('evict', refused('EINVAL', 'too young'));
  await it.reclaim('/test', 2);
  t.equal(evicted(it, set), pages(64));
  t.same(it.problems(), []);
});

void t.test('any other refusal ends the run with its errno; what was freed is in the ledger', async (t) => {
  const { it } = await watched({ mode: 1 });
  const set = it.machine.file('/test', { mib: 64 });
  await it.letAge('/test', 2);
  let steps = 0;
  it.machine.hooks.afterEviction = () => {
    if (++steps === 2) it.machine.failNext('evict', refused('EPERM', 'lockdown'));
  };
  await t.rejects(it.reclaim('/test', 2), { code: 'KERNEL_REFUSED', errno: 'EPERM' });
  t.equal(it.ledger('/test')['pagecache dropped'], evicted(it, set));
  t.ok(evicted(it, set) > 0);
});

void t.test('every node is reclaimed', async (t) => {
  const { it } = await watched({ nodes: 2 });
  const sets = [0, 1].flatMap((node) => [
    it.machine.anon('/test', { mib: 16, node }),
    it.machine.file('/test', { mib: 16, node }),
  ]);
  await it.letAge('/test', 2);
  await it.reclaim('/test', 2);
  t.same(
    sets.map((set) => evicted(it, set)),
    sets.map(() => pages(16)),
  );
});

void t.test(
  'before 6.16 the kernel turns to file when anon is used up: still no page cache goes with mode 2',
  async (t) => {
    // 40 pages are less than a batch of the kernel, which would fill it up with page cache.
    for (const anonMib of [0, 40 / 256, 1, 16, 100])
      for (const limitBytes of [mib(8), Infinity])
        await t.test(`${anonMib} MiB of anon, limit ${limitBytes}`, async (t) => {
          const { it } = await watched({ mode: 2, release: '6.12.0' });
          const anon = it.machine.anon('/test', { mib: anonMib });
          const inUse = it.machine.anon('/test', { mib: 16, touchedEveryMs: 400 });
          const file = it.machine.file('/test', { mib: 64 });
          await it.letAge('/test', 2);
          await it.reclaim('/test', 2, limitBytes);
          t.equal(evicted(it, file), 0);
          t.equal(evicted(it, inUse), 0);
          t.ok(evicted(it, anon) >= Math.min(pages(anonMib) - batchPages, limitBytes / 4096));
        });
    await t.test('also where the cold anon was used again a moment ago: but for the batch that shows it', async (t) => {
      const { it } = await watched({ mode: 2, release: '6.12.0' });
      const anon = it.machine.anon('/test', { mib: 64 });
      const file = it.machine.file('/test', { mib: 64 });
      await it.letAge('/test', 2);
      await it.clock.advance(4000);
      it.machine.touch(anon);
      await it.clock.advance(1000);
      await it.reclaim('/test', 2);
      t.equal(evicted(it, anon), 0);
      t.ok(evicted(it, file) <= batchPages);
      t.equal(it.ledger('/test')['anon swap out'], undefined, 'and it is booked as what it was');
    });
  },
);

void t.test('use that the aging walk misses is seen at eviction: those pages stay as well', async (t) => {
  const { it } = await watched({ mode: 2, release: '7.2.0' });
  const inUse = it.machine.anon('/test', { mib: 64, touchedEveryMs: 400, missedByWalk: 0.5 });
  const cold = it.machine.anon('/test', { mib: 64 });
  await it.letAge('/test', 2);
  await it.reclaim('/test', 2);
  t.same([evicted(it, inUse), evicted(it, cold)], [0, pages(64)]);
});

void t.test('what the kernel compressed is told apart from what went to the device', async (t) => {
  const { it } = await watched({ zswap: true });
  it.engine.global.nonrotAgePeriods = 255;
  it.machine.anon('/test', { mib: 16 });
  await it.letAge('/test', 2);
  await it.reclaim('/test', 2);
  t.same(it.ledger('/test'), { 'anon zswap out': pages(16) });
});

void t.test('on cgroup v1, which counts no reclaimed pages, the fall of the bytes is measured', async (t) => {
  const { it } = await watched({ cgroupVersion: 1 });
  it.machine.anon('/test', { mib: 16 });
  it.machine.file('/test', { mib: 16 });
  await it.letAge('/test', 2);
  await it.reclaim('/test', 2);
  t.same(it.ledger('/test'), { 'anon swap out': pages(16), 'pagecache dropped': pages(16) });
});

void t.test('dirty page cache and mlocked memory never go, and cannot keep a run from ending', async (t) => {
  const { it } = await watched();
  const stays = [
    it.machine.file('/test', { mib: 32, dirty: true }),
    it.machine.anon('/test', { mib: 8, mlocked: true }),
  ];
  const goes = it.machine.file('/test', { mib: 32 });
  await it.letAge('/test', 2);
  await it.reclaim('/test', 2);
  for (const set of stays) t.equal(evicted(it, set), 0);
  t.equal(evicted(it, goes), pages(32));
});

void t.test('where swap is full, what finds no room stays, and the run ends', async (t) => {
  const { it } = await watched({ mode: 2, swapBytes: mib(8) });
  const set = it.machine.anon('/test', { mib: 32 });
  await it.letAge('/test', 2);
  await it.reclaim('/test', 2);
  t.equal(evicted(it, set), pages(8));
});
