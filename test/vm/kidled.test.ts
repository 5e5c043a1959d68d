/** memory.idle_page_stats: page ages as periods pass, and what a threshold does to them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { makeDataFile, removeDataFile } from './data-file.js';
import { eventually } from './eventually.js';
import { bytesAt, bytesFrom, type IdlePageStats, parseIdlePageStats } from './idle-page-stats.js';
import { assertAtLeast, assertAtMost, assertNear, mib } from './limits.js';
import { Memcg } from './memcg.js';
import { cat, echo, read, says } from './shell.js';
import { Workload } from './workload.js';

const fileRows = ['cfei', 'dfei', 'cfui', 'dfui', 'cfea', 'dfea', 'cfua', 'dfua'];
const anonRows = ['csei', 'dsei', 'csui', 'dsui', 'csea', 'dsea', 'csua', 'dsua'];

async function statsOf(daemon: Daemon, memcg: Memcg): Promise<IdlePageStats> {
  return parseIdlePageStats(await read(daemon.idlePageStatsFile(memcg)));
}

/** Resolves with the first statistics that `holds` for. */
async function statsWhen(
  daemon: Daemon,
  memcg: Memcg,
  what: string,
  holds: (stats: IdlePageStats) => boolean,
): Promise<IdlePageStats> {
  return eventually(what, async () => {
    const stats = await statsOf(daemon, memcg);
    return holds(stats) ? stats : undefined;
  });
}

void describe('the dd example of coldpgs.rst', () => {
  let daemon: Daemon;
  let memcg: Memcg;
  let dataFile: string;

  before(async () => {
    // A look at all page frames takes an emulated machine more than a second.
    daemon = await Daemon.start({ periodMs: 3000 });
    memcg = Memcg.make('dd');
    dataFile = await makeDataFile('kidled', 128);
    await says('echo $$ > "$MEMCG/cgroup.procs"; dd if="$DATA" of=/dev/null bs=1M count=128 status=none', {
      MEMCG: memcg.folder,
      DATA: dataFile,
    });
  });
  after(async () => {
    await memcg.remove();
    await daemon.remove();
    removeDataFile(dataFile);
  });

  void it('its 128 MiB move from bucket to bucket as periods pass', async () => {
    const scans: number[] = [];
    for (const periods of [1, 2, 5]) {
      const stats = await statsWhen(
        daemon,
        memcg,
        `128 MiB of age ${periods}`,
        (one) => bytesFrom(one, ['cfei'], periods) > 126 * mib,
      );
      assertNear(`bytes of cfei from age ${periods} on`, bytesFrom(stats, ['cfei'], periods), 128 * mib, 0.02);
      assertNear(`bytes of cfei in the bucket of ${periods}`, bytesAt(stats, ['cfei'], periods), 128 * mib, 0.02);
      assertAtMost('bytes of all file rows', bytesFrom(stats, fileRows, 1), memcg.pageCacheBytes());
      // The programs that read it have page cache in the memcg, too, from before.
      assertAtMost('bytes of cfei long before their time', bytesFrom(stats, ['cfei'], 15), 0.02 * 128 * mib);
      scans.push(stats.pageScans);
    }
    const [, second = 0, fifth = 0] = scans;
    // Three periods lie between the two. A look may come a little late, and on a slow machine a round takes longer than a period.
    assertAtLeast('rounds from age 2 to age 5', fifth - second, 1);
    assertAtMost('rounds from age 2 to age 5', fifth - second, 4);
  });

  void it('what clients do works: the whole text has 31 lines, and an open that truncates or lacks a newline is taken', async () => {
    const file = daemon.idlePageStatsFile(memcg);
    assert.equal((await cat(file)).split('\n').length, 32);
    await says('printf 1 > "$FILE"', { FILE: daemon.kidledFile('use_hierarchy') });
    assert.equal(await cat(daemon.kidledFile('use_hierarchy')), '1\n');
  });

  void it('and vanish after the threshold is written', async () => {
    await statsWhen(daemon, memcg, 'rows again after the reset', (one) => bytesFrom(one, ['cfei'], 5) > 120 * mib);
    await echo(1, daemon.globalFile('mode'));
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    await echo(1_000_000_000, daemon.memcgFile(memcg, 'size'));
    const stats = await statsOf(daemon, memcg);
    assertAtMost('bytes of cfei at once', bytesFrom(stats, ['cfei'], 1), 0.01 * 128 * mib);
    await statsWhen(daemon, memcg, 'the next round', (one) => one.pageScans > stats.pageScans);
    assertAtMost('bytes of cfei later', bytesFrom(await statsOf(daemon, memcg), ['cfei'], 1), 0.01 * 128 * mib);
  });
});

void describe('buckets of a memcg and of its parent', () => {
  let daemon: Daemon;
  let parent: Memcg;
  let child: Memcg;
  let sibling: Memcg;
  let workloads: Workload[] = [];
  const hotBytes = 16 * mib;

  before(async () => {
    daemon = await Daemon.start();
    parent = Memcg.make('buckets');
    child = parent.makeChild('child');
    sibling = parent.makeChild('sibling');
    await echo('5,10', daemon.idlePageStatsFile(child));
    workloads = [
      await Workload.start(child, 'anon:32:0', 'anon:16:200'),
      await Workload.start(sibling, 'anon:8:0', 'anon:16:200'),
    ];
  });
  after(async () => {
    for (const workload of workloads) await workload.stop();
    await parent.remove();
    await daemon.remove();
  });

  void it('add up: 5 goes to the first column of the parent that is not below it', async () => {
    await echo(1, daemon.kidledFile('use_hierarchy'));
    const stats = await statsWhen(daemon, child, '32 MiB of age 5', (one) => bytesFrom(one, anonRows, 5) > 30 * mib);
    assert.deepEqual(stats.buckets, [5, 10]);
    assert.equal(stats.rows.get('csei')?.length, 2);
    // Beside its sets a workload has some memory for its books, which lies idle as well.
    const childIdleBytes = child.anonBytes() - hotBytes;
    assertNear('idle anonymous memory of the child', bytesFrom(stats, anonRows, 5), childIdleBytes, 0.02);
    const whole = await statsOf(daemon, parent);
    assert.deepEqual(whole.buckets, [1, 2, 5, 15, 30, 60, 120, 240]);
    const idleBytes = parent.anonBytes() - 2 * hotBytes;
    assertNear('idle anonymous memory of both', bytesFrom(whole, anonRows, 1), idleBytes, 0.02);
    assertAtLeast('of it from the column of 5 on', bytesFrom(whole, anonRows, 5), 0.98 * childIdleBytes);
    assertAtMost('bytes of all anon rows', bytesFrom(whole, anonRows, 1), parent.anonBytes());
  });

  void it('and 10 to the next one, though what is in it is no 15 periods old', async () => {
    const stats = await statsWhen(daemon, child, '32 MiB of age 10', (one) => bytesFrom(one, anonRows, 10) > 30 * mib);
    const whole = await statsOf(daemon, parent);
    assertNear('in the column of 15', bytesAt(whole, anonRows, 15), bytesFrom(stats, anonRows, 10), 0.02);
    // Of the same age, and in its own column.
    assertNear('of the sibling', bytesAt(whole, anonRows, 5), sibling.anonBytes() - hotBytes, 0.1);
    assertAtMost('from the column of 30 on', bytesFrom(whole, anonRows, 30), 0.02 * 32 * mib);
  });

  void it('what is used all the time is in no bucket', async () => {
    const stats = await statsOf(daemon, child);
    assertAtMost('bytes of all anon rows', bytesFrom(stats, anonRows, 1), child.anonBytes() - 0.98 * hotBytes);
  });
});
