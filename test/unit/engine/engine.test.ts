import t from 'tap';
import { Problems } from '../../../src/engine/problems.js';
import { mib } from '../../../src/kernel/simulated/bytes.js';
import { silentLog } from '../../../src/log.js';
import { never, pages, refused, type World, world, type WorldOptions } from './world.js';

const own = '/system.slice/coldpgs.service';

/** A world where each of these memcgs has 16 MiB of anon and of page cache that nobody uses, old enough for a threshold of 2. */
async function lyingIdle(paths: readonly string[], { mode = 3, ...options }: WorldOptions & { mode?: number } = {}) {
  const it = await world(options);
  it.engine.global.mode = mode;
  for (const path of paths) {
    it.machine.anon(path, { mib: 16 });
    it.machine.file(path, { mib: 16 });
  }
  await it.periods(6);
  return it;
}

function freedMib(it: World, path: string): number {
  return Object.values(it.ledger(path)).reduce((sum, one) => sum + one, 0) / pages(1);
}

void t.test('a global threshold reclaims every memcg, the root and parents too, without a limit', async (t) => {
  const paths = ['/', '/pod', '/pod/app', '/other'];
  const it = await lyingIdle(paths);
  await it.reclaimAll(2);
  t.same(
    paths.map((path) => freedMib(it, path)),
    paths.map(() => 32),
  );
  t.same(it.problems(), []);
});

void t.test('four memcgs at a time, then the next', async (t) => {
  const paths = Array.from({ length: 10 }, (_, index) => `/${index}`);
  const it = await lyingIdle(paths, { mode: 1, evictionMsPerMib: 50 });
  const running = new Set<string>();
  let most = 0;
  it.machine.hooks.beforeEviction = ({ path }) => {
    running.add(path);
    most = Math.max(most, running.size);
  };
  it.machine.hooks.afterEviction = ({ path }) => {
    running.delete(path);
  };
  await it.reclaimAll(2);
  t.equal(most, 4);
  t.ok(paths.every((path) => freedMib(it, path) === 16));
});

void t.test('the memcg coldpgs runs in is left alone; asked for by name, the reason is told', async (t) => {
  const it = await lyingIdle([own, '/test']);
  await it.reclaimAll(2);
  t.same([freedMib(it, own), freedMib(it, '/test')], [0, 32]);
  t.same(it.problems(), []);
  await it.reclaim(own, 2);
  t.equal(freedMib(it, own), 0);
  t.match(it.problems(), [/coldpgs\.service: coldpgs runs in this memcg itself/]);
});

void t.test('a memcg that fails, or is removed before its turn, does not keep the others from theirs', async (t) => {
  const it = await lyingIdle(['/a', '/b', '/c', '/d', '/e', '/f'], { mode: 1, evictionMsPerMib: 10 });
  it.machine.hooks.beforeEviction = ({ path }) => {
    if (it.engine.memcgAt('/f')) it.machine.rmdir('/f');
    if (path === '/b') throw refused('EPERM', 'lockdown');
  };
  await it.reclaimAll(2);
  t.ok(['/a', '/c', '/d', '/e'].every((path) => freedMib(it, path) === 16));
  t.match(it.problems(), [/^\/b: not reclaimed: lockdown/]);
  t.equal(it.problems().length, 1, 'a memcg that is gone is no problem');
});

void t.test('cancelled: what runs stops, what waits never begins', async (t) => {
  const paths = Array.from({ length: 10 }, (_, index) => `/${index}`);
  const it = await lyingIdle(paths, { mode: 1, evictionMsPerMib: 500 });
  const control = new AbortController();
  const run = it.engine.reclaimAll(2, control.signal);
  await it.clock.advance(5000);
  control.abort();
  await t.rejects(it.clock.finish(run), { code: 'CANCELLED', errno: 'EINTR' });
  t.equal(paths.filter((path) => freedMib(it, path) > 0).length, 4);
});

void t.test('where nothing is proven idle that long, nothing goes, and that is told', async (t) => {
  const it = await lyingIdle(['/test']);
  await it.reclaimAll(100);
  t.equal(freedMib(it, '/test'), 0);
  t.match(it.problems(), [/^global threshold: no memcg has pages proven idle for 100 periods yet/]);
});

void t.test('a per-memcg run takes the memcg alone, or with the option its descendants as well', async (t) => {
  for (const [children, below] of [
    ['skip', 0],
    ['include', 32],
  ] as const) {
    const it = await lyingIdle(['/pod', '/pod/app', '/podium'], { settings: { children } });
    await it.reclaim('/pod', 2);
    t.same(
      ['/pod', '/pod/app', '/podium'].map((path) => freedMib(it, path)),
      [32, below, 0],
    );
  }
});

void t.test(
  'the strict flags gate: effective mode is global mode and bits 32-34 of the memcg’s own flags',
  async (t) => {
    for (const [flags, mode, rows] of [
      [0x0n, 3, []],
      [0x1_0000_0000n, 3, ['pagecache dropped']],
      [0x2_0000_0000n, 3, ['anon swap out']],
      [0x7_0000_0000n, 3, ['anon swap out', 'pagecache dropped']],
      [0x7_0000_0000n, 1, ['pagecache dropped']],
      [0x2_0000_0000n, 1, []],
    ] as const)
      await t.test(`flags 0x${flags.toString(16)}, mode ${mode}`, async (t) => {
        const it = await lyingIdle(['/test'], { mode, settings: { flagsGate: 'strict' } });
        it.engine.noteColdness(it.at('/test'), { flags });
        await it.reclaim('/test', 2);
        t.same(Object.keys(it.ledger('/test')).sort(), rows);
        if (rows.length === 0) t.match(it.problems(), [/^\/test: the flags gate is strict/]);
        else t.same(it.problems(), []);
      });
  },
);

void t.test('with the gate off the flags of a memcg allow nothing and forbid nothing', async (t) => {
  const it = await lyingIdle(['/test'], { mode: 1 });
  it.engine.noteColdness(it.at('/test'), { flags: 0x2_0000_0000n });
  await it.reclaim('/test', 2);
  t.equal(freedMib(it, '/test'), 16);
});

void t.test('what cannot be done as asked is told, per memcg and for the global threshold', async (t) => {
  const cases: Record<string, { options?: WorldOptions; mode?: number; set?: (it: World) => void; told: RegExp }> = {
    'mode 0': { mode: 0, told: /mode is 0, so nothing is reclaimed/ },
    'period 0': { options: { settings: { scanPeriodMs: 0 } }, told: /the scan period is 0 \(off\)/ },
    mlock: { set: ({ engine }) => void (engine.global.flags = 1), told: /flags ask for mlocked pages \(bit 0\)/ },
    threshold_nonrot: {
      set: ({ engine }) => void (engine.global.nonrotAgePeriods = 5),
      told: /threshold_nonrot is set/,
    },
    'no swap': { options: { swapBytes: [] }, told: /anonymous memory was left alone: the machine has no swap/ },
    'swappiness 0': {
      set: ({ machine }) => machine.kernel.settings.write('/proc/sys/vm/swappiness', '0'),
      told: /anonymous memory was left alone: swappiness is 0/,
    },
  };
  for (const [name, { options = {}, mode = 3, set, told }] of Object.entries(cases))
    await t.test(name, async (t) => {
      for (const about of ['/test', 'global threshold']) {
        const it = await lyingIdle(['/test', '/other'], { mode, ...options });
        set?.(it);
        await (about === '/test' ? it.reclaim('/test', 2) : it.reclaimAll(2));
        t.match(it.problems(), [new RegExp(`^${about}: ${told.source}`)], about);
        t.equal(it.problems().length, 1, 'once, not for each memcg');
      }
    });
});

void t.test('anon that may not be swapped is left alone, and page cache goes nevertheless', async (t) => {
  const it = await lyingIdle(['/test']);
  it.machine.kernel.settings.write('/sys/fs/cgroup/test/memory.swap.max', '0');
  await it.reclaim('/test', 2);
  t.same(it.ledger('/test'), { 'pagecache dropped': pages(16) });
  t.match(it.problems(), [/^\/test: anonymous memory was left alone: no swap is free for it/]);
});

void t.test('a memcg that is gone, or whose path another one has, is not reclaimed', async (t) => {
  const it = await lyingIdle(['/test']);
  const gone = it.at('/test');
  it.machine.rmdir('/test');
  const run = (): Promise<void> => it.clock.finish(it.engine.reclaimMemcg(gone, 2, Infinity, never()));
  await t.rejects(run(), { code: 'MEMCG_GONE', errno: 'ENOENT' });
  it.machine.file('/test', { mib: 16 });
  await it.periods(6);
  await t.rejects(run(), { code: 'MEMCG_GONE', errno: 'ENOENT' });
  t.equal(freedMib(it, '/test'), 0);
});

void t.test('hierarchy decides whether stats and their reset include the descendants', async (t) => {
  const it = await world();
  for (const path of ['/pod', '/pod/app']) it.machine.memcg(path);
  const [pod, app] = [it.at('/pod'), it.at('/pod/app')];
  const fill = (): void => [pod, app].forEach((memcg) => it.engine.ledger.add(memcg, { 'pagecache dropped': mib(1) }));
  const totals = (): number[] => [pod, app].map((memcg) => it.engine.totalStats(memcg)['pagecache dropped'] ?? 0);
  fill();
  t.same(totals(), [mib(1), mib(1)]);
  it.engine.global.hierarchy = 1;
  t.same(totals(), [mib(2), mib(1)]);
  it.engine.resetStats(pod);
  t.same(totals(), [0, 0]);
  fill();
  it.engine.global.hierarchy = 0;
  it.engine.resetStats(pod);
  t.same(totals(), [0, mib(1)]);
});

void t.test('problems: the latest are kept, the oldest first, and each is logged', async (t) => {
  const logged: string[] = [];
  const problems = new Problems({ ...silentLog, warn: (_details, sentence) => void logged.push(sentence) }, 3);
  for (const sentence of ['1', '2', '3', '4']) problems.report('/test', sentence);
  t.same(
    problems.latest().map(({ sentence }) => sentence),
    ['2', '3', '4'],
  );
  t.same(logged, ['1', '2', '3', '4']);
});
