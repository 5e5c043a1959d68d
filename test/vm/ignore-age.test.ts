/** --ignore-age and --flags-gate strict: what dialect 3.0 of coldpgs does with flags. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { makeDataFile, removeDataFile } from './data-file.js';
import { assertAtMost, assertNear, mib } from './limits.js';
import { Memcg } from './memcg.js';
import { echo, tryEcho } from './shell.js';
import { Workload } from './workload.js';

const pageCache = 1n << 32n;
const anyAge = 1n << 36n;

void describe('a memcg whose flags ask for pages of any age', () => {
  let daemon: Daemon;
  let memcg: Memcg;
  let workload: Workload;
  let dataFile: string;

  before(async () => {
    // No page gets an age of one period while this test runs.
    daemon = await Daemon.start({ periodMs: 3_600_000, options: ['--ignore-age', 'on', '--flags-gate', 'strict'] });
    memcg = Memcg.make('any-age');
    dataFile = await makeDataFile('any-age', 48);
    workload = await Workload.start(memcg, 'anon:16:0', `read:48:0:${dataFile}`);
  });
  after(async () => {
    await workload.stop();
    await memcg.remove();
    await daemon.remove();
    removeDataFile(dataFile);
  });

  const setFlags = (flags: bigint): Promise<void> => echo(`0x${flags.toString(16)}`, daemon.memcgFile(memcg, 'flags'));

  void it('loses nothing without that flag', async () => {
    await setFlags(pageCache);
    const before = memcg.pageCacheBytes();
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    await tryEcho(String(16 * mib), daemon.memcgFile(memcg, 'size'));
    assert.equal(memcg.pageCacheBytes(), before);
  });

  void it('loses as much as size says, of the type that its flags allow', async () => {
    await setFlags(pageCache | anyAge);
    const [fileBefore, anonBefore] = [memcg.pageCacheBytes(), memcg.anonBytes()];
    await echo(16 * mib, daemon.memcgFile(memcg, 'size'));
    const gone = fileBefore - memcg.pageCacheBytes();
    // A folio goes as a whole.
    assertNear('page cache that went', gone, 16 * mib, 0.13);
    assertNear('pagecache dropped', ((await daemon.stats(memcg)).get('pagecache dropped') ?? 0) * 1024, gone, 0.05);
    assertAtMost('anonymous memory that went', anonBefore - memcg.anonBytes(), 0);
  });
});
