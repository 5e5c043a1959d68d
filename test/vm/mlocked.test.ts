/** Examples 6 and 8 of coldpgs's document, and what becomes of the locks. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { eventually } from './eventually.js';
import { assertAtLeast, assertAtMost, assertNear, mib } from './limits.js';
import { Memcg } from './memcg.js';
import { echo } from './shell.js';
import { Workload } from './workload.js';

const lockedKib = (pid: number): number =>
  parseInt(/^VmLck:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0', 10);

void describe('mlocked memory', () => {
  let daemon: Daemon;

  before(async () => {
    daemon = await Daemon.start({ options: ['--allow-mlocked'] });
    await echo('0x1', daemon.globalFile('flags'));
    await echo('0x2', daemon.globalFile('mode'));
  });

  after(() => daemon.remove());

  /** A memcg with a workload; `work` gets the process id and what it has locked at first. */
  async function withWorkload(
    sets: readonly string[],
    work: (memcg: Memcg, workload: Workload, pid: number, kib: number) => Promise<void>,
  ): Promise<void> {
    const memcg = Memcg.make('mlocked');
    const workload = await Workload.start(memcg, ...sets);
    try {
      const { pid } = workload;
      await work(memcg, workload, pid, lockedKib(pid));
    } finally {
      await workload.stop();
      await memcg.remove();
    }
  }

  for (const scope of ['global', 'memcg'] as const)
    void it(`leaves by a ${scope} threshold when it is cold, and is locked again`, () =>
      withWorkload(['locked:64:0'], async (memcg, _workload, pid, kib) => {
        if (scope === 'global') await echo(1, daemon.globalFile('threshold'));
        else {
          await echo(1, daemon.memcgFile(memcg, 'threshold'));
          await echo(1_000_000_000, daemon.memcgFile(memcg, 'size'));
        }
        assert.equal(lockedKib(pid), kib);
        assertAtMost('left in memory', memcg.anonBytes(), 0.1 * 64 * mib);
        const stats = await daemon.stats(memcg);
        assertNear('anon swap out', (stats.get('anon swap out') ?? 0) * 1024, 64 * mib, 0.05);
        assertNear('mlock dropped', (stats.get('mlock dropped') ?? 0) * 1024, 64 * mib, 0.05);
      }));

  void it('stays when it is in use', () =>
    withWorkload(['locked:32:300', 'locked:32:0'], async (memcg, _workload, pid, kib) => {
      await echo(2, daemon.memcgFile(memcg, 'threshold'));
      await echo(1_000_000_000, daemon.memcgFile(memcg, 'size'));
      assert.equal(lockedKib(pid), kib);
      assertAtLeast('in memory', memcg.anonBytes(), 0.95 * 32 * mib);
      assertAtMost('in memory', memcg.anonBytes(), 1.2 * 32 * mib);
    }));

  void it('is locked again when the daemon is killed in the middle', () =>
    withWorkload(['locked:64:0'], async (memcg, _workload, pid, kib) => {
      await echo(25, daemon.memcgFile(memcg, 'threshold'));
      const run = echo(1_000_000_000, daemon.memcgFile(memcg, 'size')).catch(() => undefined);
      await eventually('the memory to be unlocked', () => lockedKib(pid) < kib / 2);
      process.kill(daemon.servingPid, 'SIGKILL');
      await eventually('the memory to be locked again', () => lockedKib(pid) === kib);
      await run;
    }));
});
