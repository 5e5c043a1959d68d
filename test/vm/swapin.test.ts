/** Swap-in: what comes back, how far, and what it leaves of the machine's settings. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { eventually, inTheAct } from './eventually.js';
import { assertAtLeast, assertAtMost, mib } from './limits.js';
import { Memcg } from './memcg.js';
import { echo, sh, tryEcho } from './shell.js';
import { Workload } from './workload.js';

const setMib = 64;

void describe('a memcg in another, its memory swapped out', () => {
  let daemon: Daemon;
  let parent: Memcg;
  let child: Memcg;
  let workload: Workload;

  before(async () => {
    daemon = await Daemon.start();
  });
  after(() => daemon.remove());
  beforeEach(async () => {
    parent = Memcg.make('parent');
    child = parent.makeChild('child');
    workload = await Workload.start(child, `anon:${setMib}:0`);
    await swapOut(child);
  });
  afterEach(async () => {
    await workload.stop();
    await parent.remove();
  });

  for (const [limited, of] of [
    ['its own', () => child],
    ["an ancestor's", () => parent],
  ] as const)
    void it(`is not brought in beyond ${limited} memory.max: EIO and a sentence, and no OOM kill`, async () => {
      const limit = of();
      limit.write('memory.max', Number(limit.read('memory.current')) + 24 * mib);
      const { status, stderr } = await tryEcho('swapin', daemon.memcgFile(child, 'swapin'));
      assert.notEqual(status, 0);
      assert.match(stderr, /Input\/output error/);
      assert.match(
        await daemon.errors(),
        new RegExp(`The swap-in of memcg ${child.path} stopped: only \\d+ kB are left`),
      );
      assert.equal(limit.event('oom_kill'), 0);
      assert.equal(limit.event('oom'), 0);
      assert.equal(workload.hasEnded, false);
      assertAtLeast('still swapped', workload.swappedBytes(), 32 * mib);
      assert.equal(child.read('memory.swap.max'), 'max');

      limit.write('memory.max', 'max');
      await echo('swapin', daemon.memcgFile(child, 'swapin'));
      assertAtMost('still swapped with the limit raised', workload.swappedBytes(), mib);
    });

  void it('comes in with its ancestor, and memory.swap.max is as it was', async () => {
    child.write('memory.swap.max', 300 * mib);
    await echo('swapin', daemon.memcgFile(parent, 'swapin'));
    assertAtMost('still swapped', workload.swappedBytes(), mib);
    assert.equal(child.read('memory.swap.max'), String(300 * mib));
    assert.equal(parent.read('memory.swap.max'), 'max');
    assertAtMost('slots still in use', Number(child.read('memory.swap.current')), mib);
    const swappedIn = ((await daemon.stats(child)).get('anon swap in') ?? 0) * 1024;
    assertAtLeast('anon swap in', swappedIn, 0.95 * setMib * mib);
  });

  void it('comes in with all memcgs', async () => {
    const other = Memcg.make('other');
    const otherWorkload = await Workload.start(other, 'anon:16:0');
    try {
      await swapOut(other);
      await echo('swapin', daemon.globalFile('swapin'));
      assertAtMost('still swapped', workload.swappedBytes(), mib);
      assertAtMost('still swapped of the other', otherWorkload.swappedBytes(), mib);
    } finally {
      await otherWorkload.stop();
      await other.remove();
    }
  });

  void it('memory.swap.max is given back by the guardian when the daemon is killed in the middle', async () => {
    child.write('memory.swap.max', 300 * mib);
    const writer = sh('echo swapin > "$FILE"', { FILE: daemon.memcgFile(child, 'swapin') });
    await inTheAct('the swap-in to borrow memory.swap.max', () => child.read('memory.swap.max') === '0');
    await daemon.stop('SIGKILL');
    await eventually('memory.swap.max to be given back', () => child.read('memory.swap.max') === String(300 * mib));
    assert.notEqual((await writer).status, 0);
    daemon = await Daemon.start({ after: daemon });
    await echo('swapin', daemon.memcgFile(child, 'swapin'));
    assertAtMost('still swapped after the next start', workload.swappedBytes(), mib);
  });

  async function swapOut(memcg: Memcg): Promise<void> {
    await daemon.reclaimCold(memcg, 2);
    const swappedBytes = ((await daemon.stats(memcg)).get('anon swap out') ?? 0) * 1024;
    assertAtLeast(`swapped out of ${memcg.path}`, swappedBytes, 12 * mib);
  }
});
