/** memory.coldpgs.size: how much a run takes. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { makeDataFile, removeDataFile } from './data-file.js';
import { kernelIsAtLeast } from './kernel-release.js';
import { assertAtLeast, assertAtMost, assertNear, mib } from './limits.js';
import { Memcg, pageBytes } from './memcg.js';
import { cat, echo } from './shell.js';
import { Workload } from './workload.js';

/** The kernel evicts batches of so many pages. */
const batchPages = 64;
/** From 6.16 on ext4 keeps page cache in folios of up to 2 MiB, and a folio goes as a whole. */
const largestFolioPages = kernelIsAtLeast(6, 16) ? 512 : 1;

interface Kind {
  readonly type: 'page cache' | 'anonymous memory';
  readonly mode: number;
  readonly row: string;
  /** By how many pages a run may overshoot. */
  readonly overshootPages: number;
  bytes(memcg: Memcg): number;
}

const kinds: readonly Kind[] = [
  {
    type: 'page cache',
    mode: 1,
    row: 'pagecache dropped',
    overshootPages: batchPages + largestFolioPages,
    bytes: (memcg) => memcg.pageCacheBytes(),
  },
  {
    type: 'anonymous memory',
    mode: 2,
    row: 'anon swap out',
    overshootPages: batchPages,
    bytes: (memcg) => memcg.anonBytes(),
  },
];

void describe('128 MiB of cold page cache and as much cold anonymous memory', () => {
  let daemon: Daemon;
  let memcg: Memcg;
  let workload: Workload;
  let dataFile: string;

  before(async () => {
    daemon = await Daemon.start();
    memcg = Memcg.make('size');
    dataFile = await makeDataFile('size', 128);
    workload = await Workload.start(memcg, 'anon:128:0', `read:128:0:${dataFile}`);
    await daemon.cold(memcg);
  });
  after(async () => {
    await workload.stop();
    await memcg.remove();
    await daemon.remove();
    removeDataFile(dataFile);
  });

  /** Writes the pair in the order given; answers by how much memory.stat and the stats row of coldpgs changed. */
  async function reclaim(
    kind: Kind,
    pair: readonly (readonly [file: string, value: number])[],
  ): Promise<{ goneBytes: number; rowBytes: number }> {
    await echo(0, daemon.memcgFile(memcg, 'stats'));
    await echo(kind.mode, daemon.globalFile('mode'));
    const beforeBytes = kind.bytes(memcg);
    for (const [file, value] of pair) await echo(value, daemon.memcgFile(memcg, file));
    const goneBytes = beforeBytes - kind.bytes(memcg);
    return { goneBytes, rowBytes: ((await daemon.stats(memcg)).get(kind.row) ?? 0) * 1024 };
  }

  for (const kind of kinds) {
    void it(`half of the ${kind.type} goes when size asks for half`, async () => {
      const { goneBytes, rowBytes } = await reclaim(kind, [
        ['threshold', 1],
        ['size', 64 * mib],
      ]);
      assertNear('stats row', rowBytes, 64 * mib, 0.02);
      assertNear('gone from memory.stat', goneBytes, 64 * mib, 0.02);
    });

    void it(`threshold after size completes the pair as well: 16 MiB of ${kind.type}`, async () => {
      const { goneBytes, rowBytes } = await reclaim(kind, [
        ['size', 16 * mib],
        ['threshold', 1],
      ]);
      assertNear('stats row', rowBytes, 16 * mib, 0.02);
      assertNear('gone from memory.stat', goneBytes, 16 * mib, 0.05);
    });

    void it('both read 0 after a run', async () => {
      assert.equal(await cat(daemon.memcgFile(memcg, 'threshold')), '0\n');
      assert.equal(await cat(daemon.memcgFile(memcg, 'size')), '0\n');
    });

    for (const pages of [1, 100, 1000])
      void it(`a size of ${pages} pages of ${kind.type} is overshot by one batch or folio of the kernel at most`, async () => {
        const { rowBytes } = await reclaim(kind, [
          ['threshold', 1],
          ['size', pages * pageBytes],
        ]);
        assertAtMost('pages in the stats row', rowBytes / pageBytes, pages + kind.overshootPages);
        if (pages > batchPages) assertAtLeast('pages in the stats row', rowBytes / pageBytes, pages / 2);
      });

    void it(`a size of less than a page takes no ${kind.type}`, async () => {
      const { rowBytes } = await reclaim(kind, [
        ['threshold', 1],
        ['size', pageBytes - 1],
      ]);
      assert.equal(rowBytes, 0);
    });
  }

  void it('one of the pair alone starts nothing and reads back', async () => {
    await echo(0, daemon.memcgFile(memcg, 'stats'));
    await echo(3, daemon.globalFile('mode'));
    await echo(4096000, daemon.memcgFile(memcg, 'size'));
    assert.equal(await cat(daemon.memcgFile(memcg, 'size')), '4096000\n');
    for (const [name, value] of await daemon.stats(memcg)) assert.equal(value, 0, name);
  });
});
