/** The rows of memory.idle_page_stats, each against what the kernel says of the same memory. */
import { after, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { removeDataFile } from './data-file.js';
import { eventually } from './eventually.js';
import { bytesFrom, parseIdlePageStats } from './idle-page-stats.js';
import { assertAtLeast, assertAtMost, assertNear, mib } from './limits.js';
import { Memcg } from './memcg.js';
import { echo, read, says } from './shell.js';
import { lookUpNothing, slabBytes } from './slab.js';
import { Workload } from './workload.js';

void describe('rows', () => {
  let daemon: Daemon;
  const memcgs: Memcg[] = [];

  before(async () => {
    daemon = await Daemon.start();
  });
  after(async () => {
    for (const memcg of memcgs) await memcg.remove();
    await daemon.remove();
  });

  const make = (name: string): Memcg => {
    const memcg = Memcg.make(name);
    memcgs.push(memcg);
    return memcg;
  };
  const bytesOf = async (memcg: Memcg, row: string, fromPeriods = 1): Promise<number> =>
    bytesFrom(parseIdlePageStats(await read(daemon.idlePageStatsFile(memcg))), [row], fromPeriods);

  void it('dfei: page cache that is not written yet', async (t) => {
    const memcg = make('dirty');
    const file = `/var/tmp/dirty-${process.pid}`;
    t.after(() => removeDataFile(file));
    // Nothing is written before it is asked for.
    const before = await says('cat /proc/sys/vm/dirty_writeback_centisecs');
    await echo(0, '/proc/sys/vm/dirty_writeback_centisecs');
    t.after(() => echo(before.trim(), '/proc/sys/vm/dirty_writeback_centisecs'));
    const script = 'echo $$ > "$MEMCG/cgroup.procs"; exec dd if=/dev/zero of="$DATA" bs=1M count=16 status=none';
    await says(script, { MEMCG: memcg.folder, DATA: file });
    await eventually('dirty page cache of age 2', async () => (await bytesOf(memcg, 'dfei', 2)) > 15 * mib);
    assertNear('bytes of dfei', await bytesOf(memcg, 'dfei'), memcg.stat('file_dirty'), 0.02);
    await says('sync "$DATA"', { DATA: file });
    // Counters of the kernel may keep a batch of pages on each processor.
    await eventually('none once it is written', async () => (await bytesOf(memcg, 'dfei')) < 0.5 * mib);
    assertNear('bytes of cfei', await bytesOf(memcg, 'cfei'), memcg.pageCacheBytes(), 0.02);
  });

  void it('csei: what is in tmpfs, beside private memory', async (t) => {
    const memcg = make('tmpfs');
    const file = `/dev/shm/rows-${process.pid}`;
    t.after(() => removeDataFile(file));
    const script = 'echo $$ > "$MEMCG/cgroup.procs"; exec dd if=/dev/zero of="$DATA" bs=1M count=16 status=none';
    await says(script, { MEMCG: memcg.folder, DATA: file });
    await eventually('shared memory of age 2', async () => (await bytesOf(memcg, 'csei', 2)) > 15 * mib);
    assertNear('bytes of csei', await bytesOf(memcg, 'csei'), memcg.stat('shmem') + memcg.stat('anon'), 0.02);
    // The kernel counts it as page cache; clients subtract rows of page cache from that.
    assertAtMost('bytes of cfei', await bytesOf(memcg, 'cfei'), memcg.pageCacheBytes() - memcg.stat('shmem'));
  });

  void it('slab: where scan_target has it, what the kernel could give back', async () => {
    const memcg = make('dentries');
    await lookUpNothing(memcg, 20_000);
    await echo(3, daemon.kidledFile('scan_target'));
    await eventually('a row of slab', async () => (await bytesOf(memcg, 'slab')) > 0);
    assertAtLeast('slab of the kernel', slabBytes(memcg), 3 * mib);
    assertNear('bytes of slab', await bytesOf(memcg, 'slab'), slabBytes(memcg), 0.1);
    await echo(1, daemon.kidledFile('scan_target'));
    assertAtMost('bytes of slab that is not asked for', await bytesOf(memcg, 'slab'), 0);
  });

  void it('never more than the memcg has, while its page cache comes and goes', async (t) => {
    const memcg = make('churn');
    const file = `/var/tmp/churn-${process.pid}`;
    t.after(() => removeDataFile(file));
    await says('dd if=/dev/zero of="$DATA" bs=1M count=64 conv=fsync status=none', { DATA: file });
    const workload = await Workload.start(memcg, 'anon:16:200');
    t.after(() => workload.stop());
    const churn = `
      echo $$ > "$MEMCG/cgroup.procs"
      for round in 1 2 3 4; do
        dd if="$DATA" of=/dev/null bs=1M status=none; sleep 2.5
        dd if="$DATA" iflag=nocache count=0 status=none; sleep 0.3
      done`;
    let churning = true;
    const ended = says(churn, { MEMCG: memcg.folder, DATA: file }).finally(() => (churning = false));
    let most = 0;
    while (churning) {
      // What is there when the table is read lies between what was there before and after.
      const before = memcg.pageCacheBytes();
      const shown = await bytesOf(memcg, 'cfei');
      assertAtMost('bytes of cfei', shown, Math.max(before, memcg.pageCacheBytes()));
      most = Math.max(most, shown);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await ended;
    assertAtLeast('the most that was shown', most, 60 * mib);
  });
});
