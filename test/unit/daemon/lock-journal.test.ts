import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { FileLockJournal, settleOldLocks } from '../../../src/daemon/lock-journal.js';
import { StateDir } from '../../../src/daemon/state-dir.js';
import type { LockChange, MlockInterface } from '../../../src/kernel/mlock.js';
import { silentLog } from '../../../src/log.js';

const change: LockChange = {
  identity: { pid: 7, startTicks: '8', stackStart: '9' },
  to: 'locked',
  ranges: [{ start: 4096, end: 8192 }],
};

void t.test('what must be locked again is in the file, a line each, and the file goes with the last', async (t) => {
  const journal = new FileLockJournal(StateDir.claim(t.testdir()), 5);
  journal.write([change, change]);
  t.same(
    readFileSync(journal.file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    [change, change],
  );
  journal.write([]);
  t.notOk(existsSync(journal.file));
});

void t.test('a start settles the journals of earlier daemons; one that was never finished is void', async (t) => {
  const stateDir = StateDir.claim(t.testdir());
  new FileLockJournal(stateDir, 5).write([change]);
  writeFileSync(stateDir.file('locks.6.new'), '{');
  const settled: string[] = [];
  const mlock = { settle: (journal: string) => Promise.resolve(void settled.push(journal)) };
  await settleOldLocks(stateDir, mlock as unknown as MlockInterface, silentLog);
  t.same(settled, [stateDir.file('locks.5')]);
  t.notOk(readdirSync(stateDir.path).includes('locks.6.new'));
});
