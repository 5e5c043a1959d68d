/** threshold_nonrot (example 9 of coldpgs's document): zswap or device, by age. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { eventually, inTheAct } from './eventually.js';
import { assertNear, mib } from './limits.js';
import { Memcg, pageBytes } from './memcg.js';
import { echo, sh } from './shell.js';
import { Workload } from './workload.js';

/** Long enough that what is between one and two periods old is so for a while, also on a slow machine. */
const periodMs = 8000;
const switchFile = '/sys/module/zswap/parameters/enabled';
const setMib = 32;

void describe('anonymous memory of two ages', () => {
  let daemon: Daemon;
  let memcg: Memcg;
  let older: Workload;
  let younger: Workload;

  before(async () => {
    writeFileSync(switchFile, 'Y');
    daemon = await Daemon.start({ periodMs });
  });
  after(async () => {
    await daemon.remove();
    writeFileSync(switchFile, 'N');
  });
  beforeEach(async () => {
    memcg = Memcg.make('zswap');
    older = await Workload.start(memcg, `packable:${setMib}:0`);
    await memcg.agings(1);
    younger = await Workload.start(memcg, `packable:${setMib}:0`);
    await memcg.agings(2);
    const border = memcg.youngestGeneration() - 1;
    // Two agings may follow each other sooner than a period where the machine was busy at the first.
    await eventually('the younger set to be unused for a period', () =>
      memcg.generations().some(({ seq, ageMs }) => seq === border && ageMs >= periodMs),
    );
    await echo(2, daemon.globalFile('mode'));
    await echo(1, daemon.globalFile('threshold_nonrot'));
  });
  afterEach(async () => {
    await older.stop();
    await younger.stop();
    await memcg.remove();
    writeFileSync(switchFile, 'Y');
  });

  void it('goes to zswap up to threshold_nonrot, and to the device beyond', async () => {
    const storedBefore = storedPages();
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    await echo(1_000_000_000, daemon.memcgFile(memcg, 'size'));
    const rows = await daemon.stats(memcg);
    const wentTo = (row: string): number => (rows.get(row) ?? 0) * 1024;
    assertNear('anon swap out', wentTo('anon swap out'), setMib * mib, 0.05);
    assertNear('anon zswap out', wentTo('anon zswap out'), setMib * mib, 0.05);
    assertNear('stored by zswap', (storedPages() - storedBefore) * pageBytes, setMib * mib, 0.05);
    for (const workload of [older, younger]) assertNear('swapped', workload.swappedBytes(), setMib * mib, 0.05);
    assert.equal(memcg.read('memory.zswap.max'), 'max');
    assert.doesNotMatch(await daemon.errors(), new RegExp(` ${memcg.path}: `));
  });

  void it('all goes to the device where zswap is off, which coldpgs/errors tells', async () => {
    writeFileSync(switchFile, 'N');
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    await echo(1_000_000_000, daemon.memcgFile(memcg, 'size'));
    const rows = await daemon.stats(memcg);
    assertNear('anon swap out', (rows.get('anon swap out') ?? 0) * 1024, 2 * setMib * mib, 0.05);
    assert.equal(rows.get('anon zswap out'), 0);
    assert.match(await daemon.errors(), new RegExp(`${memcg.path}: threshold_nonrot is set, but zswap is off`));
  });

  void it('memory.zswap.max is given back when the daemon is killed in the middle', async () => {
    memcg.write('memory.zswap.max', 512 * mib);
    await echo(0, daemon.globalFile('threshold_nonrot'));
    await echo(512, daemon.globalFile('batch'));
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    const writer = sh('echo 1000000000 > "$FILE"', { FILE: daemon.memcgFile(memcg, 'size') });
    await inTheAct('a step to borrow memory.zswap.max', () => memcg.read('memory.zswap.max') === '0');
    await daemon.stop('SIGKILL');
    await eventually('memory.zswap.max to be given back', () => memcg.read('memory.zswap.max') === String(512 * mib));
    await writer;
    daemon = await Daemon.start({ after: daemon, periodMs });
  });
});

function storedPages(): number {
  return Number(readFileSync('/sys/kernel/debug/zswap/stored_pages', 'utf8'));
}
