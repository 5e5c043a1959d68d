import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { FileLockJournal, settleOldLocks } from '../../../src/daemon/lock-journal.js';
import { StateDir } from '../../../src/daemon/state-dir.js';
import type { LockChange, MlockInterface } from '../../../src/kernel/mlock.js';
import { silentLog } from '../../../src/log.js';

const boot = '5f3c1a52-6c1e-4a6b-9d0e-2b7f0c6f3f11';
const change: LockChange = {
  identity: { pid: 7, startTicks: '8', stackStart: '9' },
  to: 'locked',
  ranges: [{ start: 4096, end: 8192 }],
};

void t.test('what must be locked again is in the file, a line each, and the file goes with the last', async (t) => {
  const journal = new FileLockJournal(StateDir.claim(t.testdir()), boot, 5);
  journal.write([change, change]);
  t.same(
    readFileSync(journal.file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    [
      { ...change, boot },
      { ...change, boot },
    ],
  );
  journal.write([]);
  t.notOk(existsSync(journal.file));
});

void t.test('a start settles the journals of earlier daemons; one that was never finished is void', async (t) => {
  const stateDir = StateDir.claim(t.testdir());
  new FileLockJournal(stateDir, boot, 5).write([change]);
  writeFileSync(stateDir.file('locks.6.new'), '{');
  const settled: string[] = [];
  const mlock = { settle: (journal: string) => Promise.resolve(void settled.push(journal)) };
  await settleOldLocks(stateDir, mlock as unknown as MlockInterface, boot, silentLog);
  t.same(settled, [stateDir.file('locks.5')]);
  t.notOk(readdirSync(stateDir.path).includes('locks.6.new'));
});

void t.test('locks taken off in another boot are not given back in this one, and that is said', async (t) => {
  const stateDir = StateDir.claim(t.testdir());
  new FileLockJournal(stateDir, 'another boot', 5).write([change]);
  writeFileSync(stateDir.file('locks.6'), `${JSON.stringify(change)}\n`);
  const settled: string[] = [];
  const mlock = { settle: (journal: string) => Promise.resolve(void settled.push(journal)) };
  const said: string[] = [];
  const log = { ...silentLog, info: (_: object, sentence: string) => void said.push(sentence) };
  await settleOldLocks(stateDir, mlock as unknown as MlockInterface, boot, log);
  t.strictSame(settled, [stateDir.file('locks.6')], 'that of an older daemon does not name its boot');
  t.notOk(readdirSync(stateDir.path).includes('locks.5'));
  t.match(said, [/another boot/]);
});
