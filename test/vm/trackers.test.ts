/** Page ages by each tracker on the kernels that can run it, and the reason on those that cannot. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon } from './daemon.js';
import { makeDataFile, removeDataFile } from './data-file.js';
import { eventually } from './eventually.js';
import { kernelIsAtLeast } from './kernel-release.js';
import { assertAtMost, mib } from './limits.js';
import { Memcg } from './memcg.js';
import { cat, says } from './shell.js';
import { Workload } from './workload.js';

const periodMs = 2000;
const setMib = 64;
/** Columns of the histogram begin at so many periods. */
const bounds = [1, 2, 5, 15, 30, 60, 120, 240];

const damonStat = '/sys/module/damon_stat/parameters/enabled';
const kdamonds = '/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds';
const hasIdlePages = existsSync('/sys/kernel/mm/page_idle/bitmap');
const hasDamon = existsSync(kdamonds) && kernelIsAtLeast(6, 14);

/** MiB of anonymous memory by column of the memcg's own histogram. */
async function ages(daemon: Daemon, memcg: Memcg): Promise<number[]> {
  const text = await cat(`${daemon.mountPoint}/sys/fs/cgroup${memcg.path}/memory.idle_page_stats`);
  const rows = text.split('\n').filter((line) => /^ +[cd]s[eu][ia] /.test(line));
  return bounds.map((_, column) =>
    rows.reduce((sum, row) => sum + Number(row.trim().split(/ +/)[column + 1]) / mib, 0),
  );
}

/** MiB that are idle for so many periods or longer, as far as columns tell. */
function idleFor(columns: readonly number[], periods: number): number {
  return columns.reduce((sum, size, column) => sum + ((bounds[column] ?? 0) >= periods ? size : 0), 0);
}

function showsAges(
  tracker: string,
  { steps = [1, 2, 5, 15], most = setMib + 4, least = setMib * 0.95, hotMost = 4 } = {},
): void {
  void describe(`${tracker}: a set of ${setMib} MiB that is used no more, beside one that is used every 500 ms`, () => {
    let daemon: Daemon;
    let hot: { memcg: Memcg; workload: Workload };
    let cold: { memcg: Memcg; workload: Workload };

    before(async () => {
      if (tracker === 'damon') {
        if (existsSync(damonStat)) writeFileSync(damonStat, 'N');
        await joinFreeMemory();
      }
      daemon = await Daemon.start({ periodMs, options: ['--tracker', tracker] });
      hot = await start('hot', 500);
      cold = await start('cold', 0);
    });
    after(async () => {
      for (const one of [hot, cold]) {
        await one.workload.stop();
        await one.memcg.remove();
      }
      await daemon.remove();
    });

    async function start(name: string, everyMs: number): Promise<{ memcg: Memcg; workload: Workload }> {
      const memcg = Memcg.make(`${tracker}-${name}`);
      return { memcg, workload: await Workload.start(memcg, `anon:${setMib}:${everyMs}`) };
    }

    void it('goes from column to column', async (t) => {
      for (const periods of steps) {
        const columns = await eventually(`${least} MiB to be idle for ${periods} periods`, async () => {
          const now = await ages(daemon, cold.memcg);
          return idleFor(now, periods) >= least ? now : undefined;
        });
        t.diagnostic(`MiB by column: ${columns.map((size) => size.toFixed(1)).join(' ')}`);
        assertAtMost('MiB in all columns', idleFor(columns, 1), most);
      }
    });

    void it('and the other stays young meanwhile', async (t) => {
      const columns = await ages(daemon, hot.memcg);
      t.diagnostic(`MiB by column: ${columns.map((size) => size.toFixed(1)).join(' ')}`);
      assertAtMost('MiB idle for 2 periods or longer', idleFor(columns, 2), hotMost);
    });

    void it('is named in coldpgs/capabilities', async () => {
      assert.match(await cat(`${daemon.mountPoint}/coldpgs/capabilities`), new RegExp(`^tracker: ${tracker}$`, 'm'));
    });
  });
}

/** DAMON tells regions apart, not pages: where tests before have left free memory in single pages, the hot set and the cold one lie among each other. */
async function joinFreeMemory(): Promise<void> {
  await says('sync; echo 3 > /proc/sys/vm/drop_caches; echo 1 > /proc/sys/vm/compact_memory');
}

function isRefused(tracker: string, reason: RegExp): void {
  void it(`${tracker} is refused at start with the reason`, async (t) => {
    const daemon = Daemon.launch({ options: ['--tracker', tracker] });
    try {
      const code = await daemon.ended;
      t.diagnostic(daemon.log.trim().split('\n').at(-1) ?? '');
      assert.notEqual(code, 0);
      assert.match(daemon.log, reason);
      assert.equal(daemon.isMounted(), false);
    } finally {
      await daemon.remove();
    }
  });
}

showsAges('mglru');

void it('page cache that is used through read(2) stays young beside some that is not', async (t) => {
  const memcgs = [Memcg.make('read-hot'), Memcg.make('read-cold')] as const;
  const files = [await makeDataFile('read-hot', setMib), await makeDataFile('read-cold', setMib)] as const;
  const daemon = await Daemon.start({ periodMs });
  const workloads: Workload[] = [];
  try {
    workloads.push(await Workload.start(memcgs[0], `read:${setMib}:500:${files[0]}`));
    workloads.push(await Workload.start(memcgs[1], `read:${setMib}:0:${files[1]}`));
    const fileAges = async (memcg: Memcg): Promise<number[]> => {
      const text = await cat(`${daemon.mountPoint}/sys/fs/cgroup${memcg.path}/memory.idle_page_stats`);
      const rows = text.split('\n').filter((line) => /^ +[cd]f[eu][ia] /.test(line));
      return bounds.map((_, column) =>
        rows.reduce((sum, row) => sum + Number(row.trim().split(/ +/)[column + 1]) / mib, 0),
      );
    };
    await eventually(
      'the cold set to be idle for 5 periods',
      async () => idleFor(await fileAges(memcgs[1]), 5) >= setMib * 0.9,
    );
    // Generations alone call both sets cold by now.
    // Most of the time: where the machine stands still for two periods, the set is unused for so long.
    const idleMib: number[] = [];
    for (let period = 0; period < 5; period++) {
      const hot = await fileAges(memcgs[0]);
      t.diagnostic(`hot, MiB by column: ${hot.map((size) => size.toFixed(1)).join(' ')}`);
      idleMib.push(idleFor(hot, 2));
      await sleep(periodMs);
    }
    const median = idleMib.sort((one, other) => one - other)[2] ?? NaN;
    assertAtMost('MiB of the hot set idle for 2 periods or longer', median, setMib * 0.2);
    assert.match(await cat(`${daemon.mountPoint}/coldpgs/capabilities`), /^read_witness: kpageflags/m);
  } finally {
    for (const workload of workloads) await workload.stop();
    for (const memcg of memcgs) await memcg.remove();
    await daemon.remove();
    files.forEach(removeDataFile);
  }
});

if (hasIdlePages) showsAges('idle-page');
else isRefused('idle-page', /CONFIG_IDLE_PAGE_TRACKING/);

if (hasDamon) {
  isRefusedWhileDamonStatIsOn();
  // DAMON knows regions, and the memory of a memcg is scattered: docs/benchmarks.md.
  showsAges('damon', { steps: [1, 2], least: setMib * 0.3, hotMost: setMib * 0.4 });
  theKdamondIsGone();
} else isRefused('damon', existsSync(kdamonds) ? /6\.14 or later/ : /CONFIG_DAMON_SYSFS/);

function isRefusedWhileDamonStatIsOn(): void {
  void describe('while DAMON_STAT is on', () => {
    before(() => writeFileSync(damonStat, 'Y'));
    after(() => writeFileSync(damonStat, 'N'));
    isRefused('damon', /DAMON_STAT is on .*write N to/);
  });
  void describe('while somebody else has a kdamond', () => {
    before(() => writeFileSync(kdamonds, '1'));
    after(() => writeFileSync(kdamonds, '0'));
    isRefused('damon', /somebody else has a kdamond/);
    void it('which is still there', () => assert.equal(readFileSync(kdamonds, 'utf8').trim(), '1'));
  });
}

function theKdamondIsGone(): void {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const)
    void it(`after ${signal} the kdamond is off and gone`, async () => {
      writeFileSync(damonStat, 'N');
      const daemon = await Daemon.start({ periodMs, options: ['--tracker', 'damon'] });
      assert.equal(readFileSync('/sys/kernel/mm/damon/admin/kdamonds/0/state', 'utf8').trim(), 'on');
      await daemon.stop(signal);
      await eventually('the kdamond to be gone', () => readFileSync(kdamonds, 'utf8').trim() === '0', 20_000);
      await daemon.remove();
    });
}
