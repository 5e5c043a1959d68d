/** The tree under sys/fs/cgroup is the memcgs as they are at this moment. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { inTheAct } from './eventually.js';
import { assertAtLeast, assertNear, mib } from './limits.js';
import { Memcg } from './memcg.js';
import { cat, echo, says, sh } from './shell.js';
import { Workload } from './workload.js';

void describe('memcgs', () => {
  let daemon: Daemon;
  before(async () => (daemon = await Daemon.start()));
  after(() => daemon.remove());

  const folderOf = (memcg: { readonly path: string }): string => `${daemon.mountPoint}/sys/fs/cgroup${memcg.path}`;

  void it('one made a moment ago is there, one removed is not', async () => {
    const memcg = Memcg.make('fresh');
    try {
      assert.match(await says('ls "$PARENT"', { PARENT: folderOf({ path: '' }) }), new RegExp(memcg.path.slice(1)));
      assert.equal(await cat(daemon.memcgFile(memcg, 'threshold')), '0\n');
    } finally {
      await memcg.remove();
    }
    const { status, stderr } = await sh('cat "$FILE"', { FILE: daemon.memcgFile(memcg, 'threshold') });
    assert.equal(status, 1);
    assert.match(stderr, /No such file or directory/);
    assert.doesNotMatch(
      await says('ls "$PARENT"', { PARENT: folderOf({ path: '' }) }),
      new RegExp(memcg.path.slice(1)),
    );
  });

  void it('a new one at an old path starts at zero', async () => {
    const name = 'phoenix';
    const first = Memcg.make(name);
    const { path } = first;
    let workload = await Workload.start(first, 'anon:8:0');
    await daemon.reclaimCold(first, 2);
    await echo('0x123', daemon.memcgFile(first, 'flags'));
    assertAtLeast('anon swap out', (await daemon.stats(first)).get('anon swap out') ?? 0, 4096);
    await workload.stop();
    await first.remove();

    const second = Memcg.makeAt(path);
    try {
      for (const [row, value] of await daemon.stats(second)) assert.equal(value, 0, row);
      assert.equal(await cat(daemon.memcgFile(second, 'flags')), '0x0\n');
      workload = await Workload.start(second, 'anon:8:0');
      await daemon.reclaimCold(second, 2);
      assertNear('anon swap out', ((await daemon.stats(second)).get('anon swap out') ?? 0) * 1024, 8 * mib, 0.1);
      await workload.stop();
    } finally {
      await second.remove();
    }
  });

  void it('names with blanks and letters of all kinds work', async () => {
    const memcg = Memcg.make('mit  zwei Leerzeichen: äöü 冷たい "und" \\n $HOME');
    const workload = await Workload.start(memcg, 'anon:8:0');
    try {
      await daemon.reclaimCold(memcg, 2);
      assertNear('anon swap out', ((await daemon.stats(memcg)).get('anon swap out') ?? 0) * 1024, 8 * mib, 0.1);
      await echo('swapin', daemon.memcgFile(memcg, 'swapin'));
    } finally {
      await workload.stop();
      await memcg.remove();
    }
  });

  void it('one that is removed while it is reclaimed ends the write, and nothing else', async () => {
    const memcg = Memcg.make('doomed');
    const workload = await Workload.start(memcg, 'anon:96:0');
    await memcg.cold();
    await echo(2, daemon.globalFile('mode'));
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    const writer = sh('echo 1000000000 > "$FILE"', { FILE: daemon.memcgFile(memcg, 'size') });
    await inTheAct('the run to evict something', () => memcg.read('memory.swap.current') !== '0');
    await workload.stop();
    await memcg.remove();
    const { status, stderr } = await writer;
    assert.ok(status === 0 || /No such file or directory/.test(stderr), `${status} ${stderr}`);
    assert.equal(daemon.hasEnded, false);
    assert.equal((await sh('cat "$FILE"', { FILE: daemon.memcgFile(memcg, 'stats') })).status, 1);
  });

  void it('10,000 of them are listed, with their files', async () => {
    const parent = Memcg.make('many');
    const names = Array.from({ length: 10_000 }, (_, index) => `memcg-${index}`);
    try {
      writeFileSync(parent.file('cgroup.subtree_control'), '+memory');
      for (const name of names) mkdirSync(parent.file(name));
      const listed = await says('ls -U "$FOLDER" | grep -c ^memcg-', { FOLDER: folderOf(parent) });
      assert.equal(Number(listed), names.length);
      assert.equal(readdirSync(folderOf(parent)).length, names.length + 6);
      for (const name of names.slice(-100))
        assert.ok(statSync(`${folderOf(parent)}/${name}/memory.coldpgs.stats`).isFile());
      const last = { path: `${parent.path}/memcg-9999` };
      assert.equal(await cat(daemon.memcgFile(last, 'size')), '0\n');
    } finally {
      for (const name of names) rmdirSync(parent.file(name));
      await parent.remove();
    }
  });
});
