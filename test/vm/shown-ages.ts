import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { eventually } from './eventually.js';
import { parseIdlePageStats } from './idle-page-stats.js';
import { assertAtMost, mib } from './limits.js';
import { Memcg } from './memcg.js';
import { cat, read } from './shell.js';
import { Workload } from './workload.js';

export const periodMs = 2000;
export const setMib = 64;
/** Columns of the histogram begin at so many periods. */
const bounds = [1, 2, 5, 15, 30, 60, 120, 240];

/** MiB of a type by column of the memcg's own histogram. */
export async function ages(daemon: Daemon, memcg: Memcg, type: 'anon' | 'file' = 'anon'): Promise<number[]> {
  const { rows } = parseIdlePageStats(await read(daemon.idlePageStatsFile(memcg)));
  const ofType = type === 'anon' ? /^[cd]s[eu][ia]$/ : /^[cd]f[eu][ia]$/;
  const wanted = [...rows].filter(([row]) => ofType.test(row));
  return bounds.map((_, column) => wanted.reduce((sum, [, cells]) => sum + (cells[column] ?? NaN) / mib, 0));
}

/** MiB that are idle for so many periods or longer, as far as columns tell. */
export function idleFor(columns: readonly number[], periods: number): number {
  return columns.reduce((sum, size, column) => sum + ((bounds[column] ?? 0) >= periods ? size : 0), 0);
}

/** Tests of a tracker's histogram. Columns of `steps` are waited for, with `least` MiB idle for so long; the set in use has at most `hotMost` MiB idle. */
export function showsAges(
  tracker: string,
  { steps = [1, 2, 5, 15], most = setMib + 4, least = setMib * 0.95, hotMost = 4 } = {},
): void {
  void describe(`${tracker}: a set of ${setMib} MiB that is used no more, beside one that is used every 500 ms`, () => {
    let daemon: Daemon;
    let hot: { memcg: Memcg; workload: Workload };
    let cold: { memcg: Memcg; workload: Workload };

    before(async () => {
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

/** Tests that the daemon does not start with a tracker, for a reason. */
export function isRefused(tracker: string, reason: RegExp): void {
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
