/** Page ages by each tracker on the kernels that can run it, and the reason on those that cannot. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon } from './daemon.js';
import { makeDataFile, removeDataFile } from './data-file.js';
import { eventually } from './eventually.js';
import { kernelIsAtLeast } from './kernel-release.js';
import { assertAtLeast, assertAtMost, mib } from './limits.js';
import { Memcg, pageBytes } from './memcg.js';
import { cat, echo } from './shell.js';
import { ages, idleFor, isRefused, periodMs, setMib, showsAges } from './shown-ages.js';
import { Workload } from './workload.js';

const kdamonds = '/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds';
const hasIdlePages = existsSync('/sys/kernel/mm/page_idle/bitmap');
const setPages = (setMib * mib) / pageBytes;
const hasDamon = existsSync(kdamonds) && kernelIsAtLeast(6, 14);

showsAges('mglru');

void it('page cache that is used through read(2) stays young beside some that is not', async (t) => {
  const memcgs = [Memcg.make('read-hot'), Memcg.make('read-cold')] as const;
  const files = [await makeDataFile('read-hot', setMib), await makeDataFile('read-cold', setMib)] as const;
  const daemon = await Daemon.start({ periodMs });
  const workloads: Workload[] = [];
  try {
    workloads.push(await Workload.start(memcgs[0], `read:${setMib}:500:${files[0]}`));
    workloads.push(await Workload.start(memcgs[1], `read:${setMib}:0:${files[1]}`));
    await eventually(
      'the cold set to be idle for 5 periods',
      async () => idleFor(await ages(daemon, memcgs[1], 'file'), 5) >= setMib * 0.9,
    );
    // Generations alone call both sets cold by now.
    // Most of the time: where the machine stands still for two periods, the set is unused for so long.
    const idleMib: number[] = [];
    for (let period = 0; period < 5; period++) {
      const hot = await ages(daemon, memcgs[0], 'file');
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

if (hasIdlePages) {
  showsAges('idle-page');
  void it('idle-page: what is idle for long enough goes with the first write, page by page, and nothing else', async (t) => {
    const memcg = Memcg.make('by-address');
    const files = [await makeDataFile('idle', setMib), await makeDataFile('used', setMib)] as const;
    const daemon = await Daemon.start({ periodMs, options: ['--tracker', 'idle-page'] });
    await echo(4, daemon.memcgFile(memcg, 'flags'));
    const sets = [
      `anon:${setMib}:0`,
      `mapped:${setMib}:0:${files[0]}`,
      `anon:${setMib}:500`,
      `mapped:${setMib}:500:${files[1]}`,
    ];
    const workload = await Workload.start(memcg, ...sets);
    try {
      await eventually('the idle sets to be idle for 5 periods', async () => {
        const columns = [await ages(daemon, memcg, 'anon'), await ages(daemon, memcg, 'file')];
        return columns.every((one) => idleFor(one, 5) >= setMib * 0.95);
      });
      await echo(2, daemon.globalFile('mode'));
      await echo(4, daemon.memcgFile(memcg, 'threshold'));
      await echo(16 * mib, daemon.memcgFile(memcg, 'size'));
      const [partly] = await workload.report();
      const gonePages = setPages - (partly?.residentPages ?? NaN);
      // The kernel's batches are of 64.
      assertAtMost('pages gone with a size of 16 MiB', gonePages, (16 * mib) / pageBytes + 64);
      assertAtLeast('pages gone with a size of 16 MiB', gonePages, (15 * mib) / pageBytes);
      await echo(3, daemon.globalFile('mode'));
      await echo(4, daemon.memcgFile(memcg, 'threshold'));
      await echo(setMib * 4 * mib, daemon.memcgFile(memcg, 'size'));
      const [idleAnon, idleMapped, usedAnon, usedMapped] = await workload.report();
      t.diagnostic(JSON.stringify([idleAnon, idleMapped, usedAnon, usedMapped]));
      for (const set of [idleAnon, idleMapped])
        assertAtMost('idle pages left', set?.residentPages ?? NaN, 0.05 * setPages);
      for (const set of [usedAnon, usedMapped]) assertAtMost('pages in use lost', set?.lostPages ?? NaN, 0);
      const stats = await daemon.stats(memcg);
      assertAtLeast('KiB of page cache in the statistics', stats.get('pagecache dropped') ?? NaN, setMib * 1024 * 0.95);
      const swapped = (stats.get('anon swap out') ?? NaN) + (stats.get('anon zswap out') ?? NaN);
      assertAtLeast('KiB of anonymous memory in the statistics', swapped, setMib * 1024 * 0.95);
      assertAtMost('KiB of anonymous memory in the statistics', swapped, setMib * 1024 * 1.05);
    } finally {
      await workload.stop();
      await memcg.remove();
      await daemon.remove();
      files.forEach(removeDataFile);
    }
  });
} else isRefused('idle-page', /CONFIG_IDLE_PAGE_TRACKING/);

// Where it runs: machines/damon.test.ts.
if (!hasDamon) isRefused('damon', existsSync(kdamonds) ? /6\.14 or later/ : /CONFIG_DAMON_SYSFS/);
