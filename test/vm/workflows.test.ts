/** The shell workflows of scripts/workflows on a real kernel. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { dropFromPageCache, makeDataFile, removeDataFile } from './data-file.js';
import { eventually } from './eventually.js';
import { assertAtMost, assertNear, mib } from './limits.js';
import { Memcg } from './memcg.js';
import { type Ended, says, sh } from './shell.js';

/** Runs one of scripts/workflows by a plain shell. */
function run(daemon: Daemon, name: string, options: string): Promise<Ended> {
  return sh(`sh "/root/workflows/$NAME" --mount "$MOUNT" ${options}`, { NAME: name, MOUNT: daemon.mountPoint });
}

/** The page cache of a file is charged to the memcg, of which nothing uses it again. */
async function readIn(memcg: Memcg, dataFile: string): Promise<void> {
  const script = 'echo $$ > "$MEMCG/cgroup.procs"; exec dd if="$DATA" of=/dev/null bs=1M status=none';
  await says(script, { MEMCG: memcg.folder, DATA: dataFile });
}

void describe('memory that is cold', () => {
  let daemon: Daemon;
  let memcg: Memcg;
  let dataFile: string;

  before(async () => {
    daemon = await Daemon.start();
    memcg = Memcg.make('workflows');
    dataFile = await makeDataFile('workflows', 64);
    await readIn(memcg, dataFile);
  });
  after(async () => {
    await memcg.remove();
    await daemon.remove();
    removeDataFile(dataFile);
  });

  const workflow = async (name: string, options: string): Promise<string> => {
    const { status, stdout, stderr } = await run(daemon, name, options);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    return stdout;
  };

  void it('find a memcg with 64 MiB of cold page cache, tell its age, and reclaim it', async () => {
    // The last of it may have come in after a look that saw the rest.
    const found = await eventually('64 MiB of age 5', async () => {
      const lines = await workflow('cold-memcgs', '--age 5 --types file');
      const [, amount] = new RegExp(`^(\\d+\\.\\d) ${memcg.path}$`, 'm').exec(lines) ?? [];
      return Number(amount) > 0.98 * 64 ? amount : undefined;
    });
    assertNear('MiB of age 5', Number(found), 64, 0.02);
    const report = await workflow('idle-report', memcg.path);
    assert.match(report, /^memcg +MiB +>=1s +>=2s +>=5s /);
    assert.match(report, new RegExp(`^${memcg.path} +file `, 'm'));
    const went = await workflow('reclaim-older-than', `0 ${memcg.path}`);
    const [, amount, path] = /^(\d+\.\d) MiB left (.*)\n$/.exec(went) ?? [];
    assert.equal(path, memcg.path, went);
    assertNear('MiB reclaimed', Number(amount), 64, 0.02);
    assertAtMost('page cache left', memcg.pageCacheBytes(), 2 * mib);
  });
});

void describe('reclaim-older-than 1', () => {
  let daemon: Daemon;
  const memcgs: { readonly memcg: Memcg; readonly dataFile: string }[] = [];

  before(async () => {
    daemon = await Daemon.start({ periodMs: 4000 });
    for (const name of ['older', 'younger'])
      memcgs.push({ memcg: Memcg.make(name), dataFile: await makeDataFile(name, 32) });
  });
  after(async () => {
    for (const { memcg, dataFile } of memcgs) {
      await memcg.remove();
      removeDataFile(dataFile);
    }
    await daemon.remove();
  });

  void it('takes nothing that is younger than a minute, however often it is run, and then all that is older', async (t) => {
    const [older, younger] = memcgs;
    assert.ok(older && younger);
    const startMs = performance.now();
    await readIn(older.memcg, older.dataFile);
    const early = await run(daemon, 'reclaim-older-than', `1 ${older.memcg.path}`);
    assert.match(early.stderr, /nothing is proven idle for 15 periods/);
    assert.equal(early.stdout, 'nothing was reclaimed\n');
    assertNear('page cache of the memcg', older.memcg.pageCacheBytes(), 32 * mib, 0.05);
    await eventually('half a minute to pass', () => performance.now() - startMs > 30_000);
    await dropFromPageCache([younger.dataFile]);
    await readIn(younger.memcg, younger.dataFile);
    const youngMs = performance.now();
    const gone = async (): Promise<boolean> => {
      const { status, stdout, stderr } = await run(
        daemon,
        'reclaim-older-than',
        `1 ${older.memcg.path} ${younger.memcg.path}`,
      );
      assert.equal(status, 0);
      if (performance.now() - startMs < 60_000)
        assertNear('page cache that is not old enough', older.memcg.pageCacheBytes(), 32 * mib, 0.05);
      if (performance.now() - youngMs < 60_000)
        assertNear('page cache that is younger', younger.memcg.pageCacheBytes(), 32 * mib, 0.05);
      t.diagnostic(`after ${Math.round((performance.now() - startMs) / 1000)} s: ${stdout}${stderr}`);
      return older.memcg.pageCacheBytes() < 2 * mib;
    };
    // Of page cache that came in through read(2) the second aging after that is the first to tell that nobody read it again.
    await eventually('what is older to be gone', gone, 180_000, 5000);
  });
});
