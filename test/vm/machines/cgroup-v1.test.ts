/** A machine whose memory controller is in a cgroup v1 hierarchy. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Daemon } from '../daemon.js';
import { makeDataFile, removeDataFile } from '../data-file.js';
import { assertAtLeast, assertAtMost, assertNear, mib } from '../limits.js';
import { Memcg, pageBytes } from '../memcg.js';
import { cat, echo, says } from '../shell.js';
import { Workload } from '../workload.js';

const setBytes = 64 * mib;

void describe('on cgroup v1', () => {
  let daemon: Daemon;
  let memcg: Memcg;
  let child: Memcg;
  let anon: Workload;
  let file: Workload;
  let dataFile: string;

  before(async () => {
    daemon = await Daemon.start();
    memcg = Memcg.make('v1');
    child = memcg.makeChild('child');
    dataFile = await makeDataFile('v1', 64);
    anon = await Workload.start(child, 'anon:64:0');
    file = await Workload.start(memcg, `mapped:64:0:${dataFile}`);
    await daemon.cold(memcg);
  });
  after(async () => {
    for (const workload of [anon, file]) await workload.stop();
    await memcg.remove();
    await daemon.remove();
    removeDataFile(dataFile);
  });

  const residentBytes = async (workload: Workload): Promise<number> =>
    ((await workload.report())[0]?.residentPages ?? 0) * pageBytes;

  void it('the tree mirrors the memory hierarchy', async () => {
    const listed = await says('ls "$FOLDER"', { FOLDER: `${daemon.mountPoint}/sys/fs/cgroup${memcg.path}` });
    assert.match(listed, /^child$/m);
    assert.match(listed, /^memory\.coldpgs\.stats$/m);
    assert.match(await cat(`${daemon.mountPoint}/coldpgs/capabilities`), /^cgroup: v1 at /m);
  });

  void it('page cache is reclaimed, and only that', async () => {
    await echo(1, daemon.globalFile('mode'));
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    await echo(1024 * mib, daemon.memcgFile(memcg, 'size'));
    assertAtMost('bytes left', await residentBytes(file), 0.05 * setBytes);
    const stats = await daemon.stats(memcg);
    assertNear('pagecache dropped', (stats.get('pagecache dropped') ?? 0) * 1024, setBytes, 0.05);
    assert.equal(stats.get('anon swap out'), 0);
  });

  void it('anonymous memory of a child is reclaimed, and counted in its parent with hierarchy', async () => {
    await echo(2, daemon.globalFile('mode'));
    await echo(1, daemon.memcgFile(child, 'threshold'));
    await echo(1024 * mib, daemon.memcgFile(child, 'size'));
    assertAtLeast('swapped out', anon.swappedBytes(), 0.95 * setBytes);
    await echo(1, daemon.globalFile('hierarchy'));
    const total = (await daemon.stats(memcg)).get('Total anon swap out') ?? 0;
    assertNear('Total anon swap out of the parent', total * 1024, setBytes, 0.05);
  });

  void it('and swapped in', async () => {
    await echo('swapin', daemon.memcgFile(memcg, 'swapin'));
    assert.ok(anon.swappedBytes() < mib, `${anon.swappedBytes()} bytes are still swapped out`);
    assert.equal(await residentBytes(anon), setBytes);
  });
});
