/** What readers notice while the daemon is killed under them: nothing, or before Linux 6.9, which cannot send requests again, an EIO for what it had in hand. */
import assert from 'node:assert/strict';
import { closeSync, openSync, readSync } from 'node:fs';
import { release } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { eventually } from './eventually.js';
import { kernelIsAtLeast } from './kernel-release.js';
import { Readers } from './readers.js';

/** One more within a minute, and the daemon would only show its last state. */
const kills = 4;
const readersAtOnce = 4;

void describe('the daemon is killed under its readers', () => {
  let daemon: Daemon;
  let readers: Readers;
  let held: number;

  /** How often a daemon has gone on with the mount of another. */
  const takenOver = (): number => daemon.log.split('was ended by SIGKILL; this one goes on with its mount').length - 1;

  before(async () => {
    daemon = await Daemon.start();
    const file = daemon.memcgFile({ path: '/' }, 'stats');
    held = openSync(file, 'r');
    readers = Readers.start(readersAtOnce, file);
    for (let kill = 0; kill < kills; kill++) {
      await readers.haveReadOn();
      process.kill(daemon.servingPid, 'SIGKILL');
      await eventually('the next daemon', () => takenOver() === kill + 1);
    }
    await readers.haveReadOn();
    await readers.stop();
  });
  after(async () => {
    closeSync(held);
    await daemon.remove();
  });

  void it('each kill was one', () => {
    assert.equal(takenOver(), kills);
  });

  void it('no reader finds the mount dead', () => {
    assert.doesNotMatch(readers.complaints, /not connected|No such file/u);
  });

  void it(`no read fails, or with EIO only where requests cannot be sent again (${release()})`, () => {
    const complaints = readers.complaints.split('\n').filter((line) => line !== '');
    const others = complaints.filter((line) => !line.endsWith('Input/output error'));
    assert.deepEqual(others, []);
    const resends = kernelIsAtLeast(6, 9);
    if (resends) assert.equal(readers.lineCounts.size, 1, [...readers.lineCounts].join(' '));
    const most = resends ? 0 : kills * readersAtOnce;
    assert.ok(complaints.length <= most, `${complaints.length} of ${readers.rounds} reads failed`);
  });

  void it('what was open before works', () => {
    const buffer = Buffer.alloc(4096);
    assert.match(buffer.toString('latin1', 0, readSync(held, buffer, 0, 4096, 0)), /^pagecache migrate in/u);
  });
});
