/** Memcgs that were removed with page cache left (before Linux 7.0; later their parent gets it). */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Daemon, periodMs } from './daemon.js';
import { makeDataFile, removeDataFile } from './data-file.js';
import { eventually } from './eventually.js';
import { kernelIsAtLeast } from './kernel-release.js';
import { assertAtLeast, assertAtMost, assertNear, mib } from './limits.js';
import { Memcg } from './memcg.js';
import { echo, says } from './shell.js';
import { Workload } from './workload.js';

const leftMib = 64;

void describe('page cache of a removed memcg, beside a living one', { skip: hasNone() }, () => {
  let daemon: Daemon;
  let parent: Memcg;
  let living: Memcg;
  let workload: Workload;
  let dataFile: string;

  before(async () => {
    daemon = await Daemon.start();
    parent = Memcg.make('parent');
    living = parent.makeChild('living');
    workload = await Workload.start(living, 'anon:32:500');
    const gone = parent.makeChild('gone');
    dataFile = await makeDataFile('left', leftMib);
    await says('echo $$ > "$MEMCG/cgroup.procs"; exec cat "$DATA" > /dev/null', { MEMCG: gone.folder, DATA: dataFile });
    await gone.remove();
    const startMs = performance.now();
    await living.agings(3);
    await eventually('it to be removed for long enough', () => performance.now() - startMs > 4 * periodMs);
    await echo(1, daemon.globalFile('mode'));
  });
  after(async () => {
    await workload.stop();
    await parent.remove();
    await daemon.remove();
    removeDataFile(dataFile);
  });

  void it('goes with a run of the memcg above it, whatever the size, and is counted there', async () => {
    const before = parent.stat('file');
    assertAtLeast('left', before, 0.95 * leftMib * mib);
    await workload.report();
    await echo(1, daemon.memcgFile(parent, 'threshold'));
    await echo(mib, daemon.memcgFile(parent, 'size'));
    const dropped = ((await daemon.stats(parent)).get('pagecache dropped') ?? 0) * 1024;
    assertNear('gone', before - parent.stat('file'), leftMib * mib, 0.05);
    assertNear('pagecache dropped', dropped, leftMib * mib, 0.05);
    const [set] = await workload.report();
    assertAtMost('pages that the living one lost', set?.lostPages ?? Infinity, 0);
    assert.equal(parent.read('memory.swap.max'), 'max');
    assert.doesNotMatch(await daemon.errors(), /removed memcgs/);
  });
});

function hasNone(): string | false {
  return kernelIsAtLeast(7, 0) && 'this kernel gives what a removed memcg has left to its parent';
}
