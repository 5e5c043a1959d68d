/** Page cache that khugepaged makes huge folios of meanwhile: new pages, not mapped any more, that nobody has used. */
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { makeDataFile, removeDataFile } from './data-file.js';
import { kernelIsAtLeast } from './kernel-release.js';
import { assertAtLeast, assertAtMost, mib } from './limits.js';
import { Memcg } from './memcg.js';
import { Workload } from './workload.js';

const setMib = 96;
const folder = '/sys/kernel/mm/transparent_hugepage/khugepaged';
/** One huge folio every half second: some come while the memcg grows cold, some while it is reclaimed. */
const pace = { pages_to_scan: '512', scan_sleep_millisecs: '500' };

const collapsesFiles = kernelIsAtLeast(6, 16);

void describe(
  'mapped page cache that khugepaged makes huge folios of',
  { skip: collapsesFiles ? false : 'on this kernel khugepaged leaves the page cache of ext4 alone' },
  () => {
    const restore: (() => void)[] = [];
    let daemon: Daemon;
    let file: string;

    before(async () => {
      for (const [name, value] of Object.entries(pace)) {
        const before = readFileSync(`${folder}/${name}`, 'utf8');
        writeFileSync(`${folder}/${name}`, value);
        restore.push(() => writeFileSync(`${folder}/${name}`, before));
      }
      file = await makeDataFile('collapsible', setMib);
      daemon = await Daemon.start({ periodMs: 2000 });
    });
    after(async () => {
      for (const one of restore) one();
      await daemon.remove();
      removeDataFile(file);
    });

    void it('goes as cold as it is', async (t) => {
      const memcg = Memcg.make('khugepaged');
      const workload = await Workload.start(memcg, `collapsible:${setMib}:0:${file}`);
      try {
        const collapsed = collapsedFolios();
        await daemon.reclaimCold(memcg, 1);
        t.diagnostic(`${collapsedFolios() - collapsed} huge folios made meanwhile`);
        assertAtLeast('huge folios made meanwhile', collapsedFolios() - collapsed, 4);
        assertAtMost('bytes left', memcg.pageCacheBytes(), 0.05 * setMib * mib);
      } finally {
        await workload.stop();
        await memcg.remove();
      }
    });
  },
);

function collapsedFolios(): number {
  return Number(readFileSync(`${folder}/pages_collapsed`, 'utf8'));
}
