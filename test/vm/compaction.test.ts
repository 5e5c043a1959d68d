/** mode bit 8 and /sys/kernel/mm/coldpgs/compact: free memory in small blocks is joined. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { eventually } from './eventually.js';
import { freeHugeBlocks, startHoles } from './holes.js';
import { Memcg } from './memcg.js';
import { echo, sh } from './shell.js';
import { Workload } from './workload.js';

const hugeOrder = 9;

void describe('memory that is free in single pages', () => {
  let daemon: Daemon;
  let memcg: Memcg;
  let workload: Workload;

  before(async () => {
    daemon = await Daemon.start();
    memcg = Memcg.make('holes');
  });
  after(async () => {
    await workload.stop();
    await memcg.remove();
    await daemon.remove();
  });

  void it('is joined by "now"', async () => {
    workload = await startHoles(memcg, 384);
    const before = freeHugeBlocks();
    await echo('now', daemon.globalFile('compact'));
    // How many there are to gain is up to where the fragments lie; some come free a little later.
    await eventually('more free huge blocks', () => freeHugeBlocks() > before + 16);
  });

  void it('an order of which there is a free block is no work, one that is none is EINVAL', async () => {
    await echo(hugeOrder, daemon.globalFile('compact'));
    const { status, stderr } = await sh('echo 99 > "$FILE"', { FILE: daemon.globalFile('compact') });
    assert.notEqual(status, 0);
    assert.match(stderr, /Invalid argument/);
  });

  void it('and after a run that frees every second page of what is left', async () => {
    await workload.stop();
    workload = await Workload.start(memcg, 'holes:512:0', 'anon:64:0');
    await memcg.cold();
    await echo('0x102', daemon.globalFile('mode'));
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    await echo(1_000_000_000, daemon.memcgFile(memcg, 'size'));
    await eventually('a compaction in the log', () => daemon.hasLogged('compacted on request'));
    assert.doesNotMatch(await daemon.errors(), /not compacted/);
  });
});
