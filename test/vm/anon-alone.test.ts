/** Anonymous memory asked for is all that goes: also where swap takes its time, and where page cache is colder. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { makeDataFile, removeDataFile } from './data-file.js';
import { kernelIsAtLeast } from './kernel-release.js';
import { assertAtLeast, assertAtMost, assertNear, mib } from './limits.js';
import { Memcg } from './memcg.js';
import { echo } from './shell.js';
import { swapDevices } from './swap.js';
import { Workload } from './workload.js';

void describe('a swap device that writes 24 MiB a second', () => {
  let daemon: Daemon;
  let memcg: Memcg;
  let workload: Workload;
  let dataFile: string;

  before(async () => {
    daemon = await Daemon.start();
    memcg = Memcg.make('slow-swap');
    dataFile = await makeDataFile('beside', 64);
    workload = await Workload.start(memcg, 'anon:64:0', `mapped:64:0:${dataFile}`);
    await memcg.cold();
    for (const device of swapDevices()) memcg.write('io.max', `${numberOf(device)} wbps=${24 * mib}`);
  });
  after(async () => {
    await workload.stop();
    await memcg.remove();
    await daemon.remove();
    removeDataFile(dataFile);
  });

  void it('gets the anonymous memory, and page cache beside it stays', async (t) => {
    const before = { anon: memcg.anonBytes(), file: memcg.pageCacheBytes() };
    await echo(2, daemon.globalFile('mode'));
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    await echo(1024 * mib, daemon.memcgFile(memcg, 'size'));
    const gone = { anon: before.anon - memcg.anonBytes(), file: before.file - memcg.pageCacheBytes() };
    t.diagnostic(`gone: ${gone.anon / mib} MiB of anonymous memory, ${gone.file / mib} MiB of page cache`);
    assertAtLeast('anonymous memory gone', gone.anon, 0.95 * 64 * mib);
    // Before 6.16 no command evicts anonymous memory alone: docs/kernels.md, note 1.
    assertAtMost('page cache gone', gone.file, kernelIsAtLeast(6, 16) ? 0 : 0.01 * 64 * mib);
    const stats = await daemon.stats(memcg);
    assertNear('anon swap out', (stats.get('anon swap out') ?? 0) * 1024, gone.anon, 0.02);
  });
});

void describe('anonymous memory that is cold, beside page cache that is colder', () => {
  let daemon: Daemon;
  let memcg: Memcg;
  let file: Workload;
  let anon: Workload;
  let dataFile: string;

  before(async () => {
    daemon = await Daemon.start({ periodMs: 2000 });
    memcg = Memcg.make('colder-file');
    dataFile = await makeDataFile('colder', 64);
    file = await Workload.start(memcg, `mapped:64:0:${dataFile}`);
    await memcg.agings(1);
    anon = await Workload.start(memcg, 'anon:64:0');
    await memcg.agings(3);
  });
  after(async () => {
    await anon.stop();
    await file.stop();
    await memcg.remove();
    await daemon.remove();
    removeDataFile(dataFile);
  });

  void it('goes, and the page cache stays', async (t) => {
    const before = { anon: memcg.anonBytes(), file: memcg.pageCacheBytes() };
    await echo(2, daemon.globalFile('mode'));
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    await echo(1024 * mib, daemon.memcgFile(memcg, 'size'));
    const gone = { anon: before.anon - memcg.anonBytes(), file: before.file - memcg.pageCacheBytes() };
    t.diagnostic(`gone: ${gone.anon / mib} MiB of anonymous memory, ${gone.file / mib} MiB of page cache`);
    assertAtLeast('anonymous memory gone', gone.anon, 0.95 * 64 * mib);
    assertAtMost('page cache gone', gone.file, kernelIsAtLeast(6, 16) ? 0 : 0.01 * 64 * mib);
  });
});

/** MAJOR:MINOR of a disk. */
function numberOf(device: string): string {
  const name = readdirSync('/sys/block').find((one) => one === basename(device)) ?? 'none';
  return readFileSync(`/sys/block/${name}/dev`, 'utf8').trim();
}
