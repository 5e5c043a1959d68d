/** Page ages survive the daemon. */
import { after, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { makeDataFile, removeDataFile } from './data-file.js';
import { eventually } from './eventually.js';
import { bytesFrom, parseIdlePageStats } from './idle-page-stats.js';
import { assertAtMost, assertNear, mib } from './limits.js';
import { Memcg } from './memcg.js';
import { read } from './shell.js';
import { Workload } from './workload.js';

void describe('memory of age 15', () => {
  let daemon: Daemon;
  let memcg: Memcg;
  let workload: Workload;
  let dataFile: string;

  before(async () => {
    daemon = await Daemon.start();
    memcg = Memcg.make('ages');
    dataFile = await makeDataFile('ages', 32);
    workload = await Workload.start(memcg, 'anon:32:0', `read:32:0:${dataFile}`, 'anon:16:200');
    await shown('of age 15', 15);
  });
  after(async () => {
    await workload.stop();
    await memcg.remove();
    await daemon.remove();
    removeDataFile(dataFile);
  });

  /** Resolves with the first table that has both sets at that age. */
  const shown = (what: string, periods: number, patienceMs?: number) =>
    eventually(
      `32 MiB of each type ${what}`,
      async () => {
        const stats = parseIdlePageStats(await read(daemon.idlePageStatsFile(memcg)));
        const [anon, file] = ['csei', 'cfei'].map((row) => bytesFrom(stats, [row], periods));
        return (anon ?? 0) > 31 * mib && (file ?? 0) > 31 * mib ? stats : undefined;
      },
      patienceMs,
    );

  /** Fifteen periods have not passed since: a daemon that knew nothing could not show such an age. */
  const shownSoon = async (): Promise<void> => {
    const stats = await shown('of age 15 again', 15, 10_000);
    assertAtMost('rounds of the new daemon', stats.pageScans, 10);
    assertNear('bytes of csei', bytesFrom(stats, ['csei'], 15), 32 * mib, 0.05);
    // What is in use has not become old.
    assertAtMost('bytes of any age', bytesFrom(stats, ['csei', 'csea'], 1), memcg.anonBytes() - 15 * mib);
  };

  void it('is that old for the next daemon, after SIGTERM', async () => {
    await daemon.stop('SIGTERM');
    daemon = await Daemon.start({ after: daemon });
    await shownSoon();
  });

  void it('and after SIGKILL to the one that serves, as far as its ages were saved', async () => {
    process.kill(daemon.servingPid, 'SIGKILL');
    await eventually('the next daemon', () => daemon.hasLogged('the daemon before this one was ended by SIGKILL'));
    await shownSoon();
  });
});
