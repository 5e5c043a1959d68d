/** memory.coldpgs.threshold and coldpgs/threshold: what is cold enough to go. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Daemon, periodMs } from './daemon.js';
import { makeDataFile, removeDataFile } from './data-file.js';
import { eventually } from './eventually.js';
import { assertAtLeast, assertAtMost, mib } from './limits.js';
import { Memcg } from './memcg.js';
import { echo } from './shell.js';
import { pagesOf, Workload } from './workload.js';

const unlimited = 1024 * mib;

void describe('a threshold that nothing is proven to have reached', () => {
  let daemon: Daemon;
  let memcg: Memcg;
  let workload: Workload;

  before(async () => {
    daemon = await Daemon.start();
    memcg = Memcg.make('threshold');
    workload = await Workload.start(memcg, 'anon:32:0');
    await memcg.agings(1);
  });
  after(async () => {
    await workload.stop();
    await memcg.remove();
    await daemon.remove();
  });

  void it('takes nothing, and coldpgs/errors says why', async () => {
    await echo(2, daemon.globalFile('mode'));
    await echo(200, daemon.memcgFile(memcg, 'threshold'));
    await echo(unlimited, daemon.memcgFile(memcg, 'size'));
    assert.equal((await daemon.stats(memcg)).get('anon swap out'), 0);
    assert.match(
      await daemon.errors(),
      new RegExp(`${memcg.path}: nothing is proven idle for 200 periods \\(${200 * (periodMs / 1000)} s\\) yet`),
    );
  });

  void it('one that has come within reach takes what was idle for so long, and what came in since then stays', async () => {
    await echo(6, daemon.memcgFile(memcg, 'threshold'));
    await memcg.cold(6 * periodMs);
    const later = await Workload.start(memcg, 'anon:32:0');
    const startMs = performance.now();
    await echo(6, daemon.memcgFile(memcg, 'threshold'));
    await echo(unlimited, daemon.memcgFile(memcg, 'size'));
    const tookMs = performance.now() - startMs;
    assertAtLeast('swapped out of what was idle for 6 periods', workload.swappedBytes(), 0.95 * 32 * mib);
    if (tookMs < 6 * periodMs) assertAtMost('swapped out of what was not', later.swappedBytes(), 0.01 * 32 * mib);
  });

  void it('a threshold of 1 takes what is idle for less', async () => {
    const later = await Workload.start(memcg, 'anon:16:0');
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    await memcg.cold();
    await echo(unlimited, daemon.memcgFile(memcg, 'size'));
    assertAtLeast('swapped out', later.swappedBytes(), 0.95 * 16 * mib);
  });
});

void describe('page cache', () => {
  /** Long enough that even a busy machine reads and reclaims within it. */
  const periodMs = 3000;
  let daemon: Daemon;
  let memcg: Memcg;
  let old: Workload;
  let young: Workload;
  let dataFile: string;

  before(async () => {
    daemon = await Daemon.start({ periodMs });
    memcg = Memcg.make('census');
    dataFile = await makeDataFile('census', 64);
    old = await Workload.start(memcg, 'anon:8:0');
    await memcg.cold();
    young = await Workload.start(memcg, `read:64:0:${dataFile}`);
  });
  after(async () => {
    await old.stop();
    await young.stop();
    await memcg.remove();
    await daemon.remove();
    removeDataFile(dataFile);
  });

  const reclaim = async (): Promise<number> => {
    await echo(1, daemon.globalFile('mode'));
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    await echo(unlimited, daemon.memcgFile(memcg, 'size'));
    const [set] = await young.report();
    assert.ok(set);
    return set.residentPages / pagesOf(set);
  };

  void it('that was read for the first time just now stays, although the kernel puts it into an old generation', async () => {
    assertAtLeast('share that stayed', await reclaim(), 0.99);
  });

  void it('goes a few periods later', async () => {
    await memcg.cold(periodMs);
    // Only what a look has seen is proven to have been there, and on a slow machine one comes late.
    await eventually('all of it to go', async () => (await reclaim()) <= 0.05);
  });
});

void describe('the threshold for all memcgs', () => {
  let daemon: Daemon;
  let own: Memcg;
  let parent: Memcg;
  let memcgs: Memcg[];
  let workloads: Workload[];
  let inOwn: Workload;

  before(async () => {
    own = Memcg.make('own');
    daemon = await Daemon.start({ memcg: own });
    parent = Memcg.make('parent');
    memcgs = [parent.makeChild('first'), parent.makeChild('second'), Memcg.make('other')];
    workloads = [];
    for (const memcg of memcgs) workloads.push(await Workload.start(memcg, 'anon:16:0'));
    inOwn = await Workload.start(own, 'anon:16:0');
    await Promise.all([...memcgs, own].map((memcg) => memcg.cold()));
    await echo(2, daemon.globalFile('mode'));
  });
  after(async () => {
    for (const workload of [...workloads, inOwn]) await workload.stop();
    await daemon.remove();
    for (const memcg of [parent, ...memcgs, own]) await memcg.remove();
  });

  void it('reclaims every one of them', async () => {
    await echo(1, daemon.globalFile('threshold'));
    for (const [index, workload] of workloads.entries())
      assertAtLeast(`swapped out in ${memcgs[index]?.path}`, workload.swappedBytes(), 0.95 * 16 * mib);
  });

  void it('but not the one that coldpgs itself runs in', () => {
    assert.equal(inOwn.swappedBytes(), 0);
  });

  void it('which is left alone when asked for by name, too, and coldpgs/errors says so', async () => {
    await echo(1, daemon.memcgFile(own, 'threshold'));
    await echo(unlimited, daemon.memcgFile(own, 'size'));
    assert.equal(inOwn.swappedBytes(), 0);
    assert.match(await daemon.errors(), new RegExp(`${own.path}: coldpgs runs in this memcg itself`));
  });
});
