/**
 * A daemon reduced to its loans of locks: `node lock-borrower.js STATE_FOLDER PID` unlocks what the process has locked and locks it again, over and over. Killed, it leaves
 * what is unlocked to the process that it started for that.
 */
import { FileLockJournal } from '../../../src/daemon/lock-journal.js';
import { bootId, StateDir } from '../../../src/daemon/state-dir.js';
import { Ledger } from '../../../src/engine/ledger.js';
import { LockLoans } from '../../../src/engine/lock-loans.js';
import { Problems } from '../../../src/engine/problems.js';
import { systemClock } from '../../../src/kernel/clock.js';
import type { Kernel } from '../../../src/kernel/kernel.js';
import { silentLog } from '../../../src/log.js';
import { realMlock } from '../kernel/linux/mlock/checker.js';

const [folder, pid = ''] = process.argv.slice(2);
if (folder !== undefined) await borrow(folder, Number(pid));

async function borrow(folder: string, pid: number): Promise<void> {
  const alive = setInterval(() => undefined, 1000);
  const journal = new FileLockJournal(StateDir.claim(folder), bootId());
  const mlock = realMlock();
  mlock.prepare(journal.file);
  const kernel = {
    mlock,
    memcgs: { tasks: () => Promise.resolve([pid]) },
    lruGen: { readOne: () => Promise.resolve(undefined) },
  } as unknown as Kernel;
  const loans = new LockLoans(kernel, systemClock, new Ledger(), new Problems(silentLog), journal, silentLog);
  process.stdout.write('started\n');
  for (let round = 0; ; round++) {
    const loan = await loans.take({ path: '/test', inode: BigInt(round) }, ['anon']);
    if (loan === undefined) break;
    await loans.giveBack(loan);
  }
  clearInterval(alive);
}
