/** Page cache that khugepaged makes huge folios of meanwhile: new pages, not mapped any more, that nobody has used. */
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { makeDataFile, removeDataFile } from './data-file.js';
import { eventually } from './eventually.js';
import { kernelIsAtLeast } from './kernel-release.js';
import { assertAtMost, mib } from './limits.js';
import { Memcg } from './memcg.js';
import { echo } from './shell.js';
import { Workload } from './workload.js';

const setMib = 96;
const folder = '/sys/kernel/mm/transparent_hugepage/khugepaged';
const rests = '3600000';

const collapsesFiles = kernelIsAtLeast(6, 16);

void describe(
  'mapped page cache of which khugepaged makes huge folios',
  { skip: collapsesFiles ? false : 'on this kernel khugepaged leaves the page cache of ext4 alone' },
  () => {
    const sleepFile = `${folder}/scan_sleep_millisecs`;
    const sleepBefore = readFileSync(sleepFile, 'utf8');
    let daemon: Daemon;
    let file: string;

    before(async () => {
      writeFileSync(sleepFile, rests);
      file = await makeDataFile('collapsible', setMib);
      daemon = await Daemon.start({ periodMs: 4000 });
    });
    after(async () => {
      writeFileSync(sleepFile, sleepBefore);
      await daemon.remove();
      removeDataFile(file);
    });

    void it('goes as cold as it is', async (t) => {
      const memcg = Memcg.make('khugepaged');
      const workload = await Workload.start(memcg, `collapsible:${setMib}:0:${file}`);
      try {
        await daemon.cold(memcg);
        const mappedBefore = memcg.stat('file_mapped');
        writeFileSync(sleepFile, '10');
        await eventually('huge folios', () => memcg.stat('file_mapped') < mappedBefore - 16 * mib);
        writeFileSync(sleepFile, rests);
        t.diagnostic(`${(mappedBefore - memcg.stat('file_mapped')) / mib} MiB are not mapped any more`);
        await daemon.lookedAt(memcg);
        await echo(1, daemon.globalFile('mode'));
        await echo(1, daemon.memcgFile(memcg, 'threshold'));
        await echo(1_000_000_000, daemon.memcgFile(memcg, 'size'));
        assertAtMost(`bytes left, ${await daemon.errors()}`, memcg.pageCacheBytes(), 0.05 * setMib * mib);
      } finally {
        await workload.stop();
        await memcg.remove();
      }
    });
  },
);
