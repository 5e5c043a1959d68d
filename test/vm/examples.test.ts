/** Examples 1, 3, 5, 7 and 10 of coldpgs's document, with the mount's paths. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Daemon, type DaemonOptions } from './daemon.js';
import { makeDataFile, removeDataFile } from './data-file.js';
import { kernelIsAtLeast } from './kernel-release.js';
import { assertAtLeast, assertAtMost, assertNear, mib } from './limits.js';
import { Memcg, pageBytes } from './memcg.js';
import { says } from './shell.js';
import { swapUsedBytes } from './swap.js';
import { Workload } from './workload.js';

const coldBytes = 128 * mib;

/** A memcg with 128 MiB of cold page cache beside 128 MiB of cold anonymous memory, and a coldpgs that watched both grow cold. */
class Scene {
  private constructor(
    readonly daemon: Daemon,
    readonly memcg: Memcg,
    readonly workload: Workload,
    private readonly dataFile: string,
    private readonly unitBytes: number,
  ) {}

  static async set(options: DaemonOptions, unitBytes: number): Promise<Scene> {
    const daemon = await Daemon.start(options);
    const memcg = Memcg.make('test');
    const dataFile = await makeDataFile('test.data', 128);
    const workload = await Workload.start(memcg, 'anon:128:0');
    await says('echo $$ > "$MEMCG/cgroup.procs"; dd if="$DATA" of=/dev/null bs=1M count=128 status=none', {
      MEMCG: memcg.folder,
      DATA: dataFile,
    });
    await daemon.cold(memcg);
    return new Scene(daemon, memcg, workload, dataFile, unitBytes);
  }

  async clear(): Promise<void> {
    await this.workload.stop();
    await this.memcg.remove();
    await this.daemon.remove();
    removeDataFile(this.dataFile);
  }

  /** Runs commands of the document. $COLDPGS and $MEMCG are the folders that the kernel's files are in there. */
  async run(commands: string): Promise<string> {
    return says(commands, {
      COLDPGS: `${this.daemon.mountPoint}/sys/kernel/mm/coldpgs`,
      MEMCG: `${this.daemon.mountPoint}/sys/fs/cgroup${this.memcg.path}`,
    });
  }

  /** Runs commands that reclaim the 128 MiB of one type, and asserts what they leave. */
  async reclaims(commands: string, row: 'pagecache dropped' | 'anon swap out'): Promise<void> {
    const { memcg, daemon } = this;
    const isFile = row === 'pagecache dropped';
    await this.run('echo 0 > "$MEMCG/memory.coldpgs.stats"');
    const before = { file: memcg.pageCacheBytes(), anon: memcg.anonBytes(), swapUsed: swapUsedBytes() };
    await this.run(commands);
    const gone = {
      file: before.file - memcg.pageCacheBytes(),
      anon: before.anon - memcg.anonBytes(),
      toSwap: swapUsedBytes() - before.swapUsed,
    };

    const stats = await daemon.stats(memcg);
    assertAtLeast('gone from memory.stat', isFile ? gone.file : gone.anon, 0.95 * coldBytes);
    assertAtMost('of the other type gone from memory.stat', isFile ? gone.anon : gone.file, 0.01 * coldBytes);
    assertNear('growth of what /proc/swaps says is used', gone.toSwap, isFile ? 0 : coldBytes, isFile ? 0 : 0.05);

    assertNear(row, (stats.get(row) ?? 0) * this.unitBytes, coldBytes, 0.05);
    // Before 6.16 no command evicts anonymous memory alone: docs/kernels.md, note 1.
    const alongBytes = isFile || kernelIsAtLeast(6, 16) ? 0 : 0.01 * coldBytes;
    for (const [name, value] of stats)
      if (!name.endsWith(row))
        assertAtMost(`${name} of stats`, value * this.unitBytes, name.endsWith('pagecache dropped') ? alongBytes : 0);
  }

  /** Runs commands that swap in what `reclaims` swapped out, and asserts that all is as it was. */
  async swapsIn(commands: string, swapUsedBefore: number): Promise<void> {
    await this.run(commands);
    assertAtMost('VmSwap', this.workload.swappedBytes(), mib);
    assertNear('what /proc/swaps says is used', swapUsedBytes(), swapUsedBefore, (2 * mib) / (swapUsedBefore || mib));
    const [set] = await this.workload.report();
    assert.equal((set?.residentPages ?? 0) * pageBytes, coldBytes, 'bytes resident after the swap-in');
  }
}

void describe('for all memcgs', () => {
  let scene: Scene;
  before(async () => (scene = await Scene.set({}, 1024)));
  after(() => scene.clear());

  void it('example 1: page cache is reclaimed', () =>
    scene.reclaims('echo 0x1 > $COLDPGS/mode; echo 1 > $COLDPGS/threshold', 'pagecache dropped'));

  void it('example 5: anonymous memory is reclaimed', () =>
    scene.reclaims('echo 0x2 > $COLDPGS/mode; echo 1 > $COLDPGS/threshold', 'anon swap out'));
});

void describe('for one memcg', () => {
  let scene: Scene;
  let swapUsedBefore: number;
  before(async () => {
    swapUsedBefore = swapUsedBytes();
    scene = await Scene.set({}, 1024);
  });
  after(() => scene.clear());

  void it('example 7: anonymous memory is reclaimed', () =>
    scene.reclaims(
      'echo 0x2 > $COLDPGS/mode; echo 1 > $MEMCG/memory.coldpgs.threshold; echo 1000000000 > $MEMCG/memory.coldpgs.size',
      'anon swap out',
    ));

  void it('example 10: and swapped in again', () =>
    scene.swapsIn('echo swapin > $MEMCG/memory.coldpgs.swapin', swapUsedBefore));

  void it('example 3: page cache is reclaimed', () =>
    scene.reclaims(
      'echo 0x1 > $COLDPGS/mode; echo 1 > $MEMCG/memory.coldpgs.threshold; echo 1000000000 > $MEMCG/memory.coldpgs.size',
      'pagecache dropped',
    ));
});

void describe('in the dialect of the document, with its own numbers', () => {
  let scene: Scene;
  let swapUsedBefore: number;
  before(async () => {
    swapUsedBefore = swapUsedBytes();
    scene = await Scene.set({ options: ['--dialect', 'doc'] }, pageBytes);
  });
  after(() => scene.clear());

  void it('example 3: page cache is reclaimed', () =>
    scene.reclaims(
      'echo 0x1 > $COLDPGS/mode; echo 1 > $MEMCG/memory.coldpgs.threshold; echo 1000000 > $MEMCG/memory.coldpgs.size',
      'pagecache dropped',
    ));

  void it('example 7: anonymous memory is reclaimed', () =>
    scene.reclaims(
      'echo 0x2 > $COLDPGS/mode; echo 1 > $MEMCG/memory.coldpgs.threshold; echo 100000 > $MEMCG/memory.coldpgs.size',
      'anon swap out',
    ));

  void it('the stats are its nine rows', async () => {
    const rows = (await scene.run('cat $MEMCG/memory.coldpgs.stats')).trimEnd().split('\n');
    assert.equal(rows.length, 9);
    assert.equal(rows[2], 'pagecache dropped       : 0');
    assert.match(rows[8] ?? '', /^anon swap out {11}: \d{5}$/);
  });

  void it('example 10: it is swapped in again', () =>
    scene.swapsIn('echo swapin > $MEMCG/memory.coldpgs.swapin', swapUsedBefore));
});
