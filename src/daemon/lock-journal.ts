import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { LockJournal } from '../engine/lock-loans.js';
import type { LockChange, MlockInterface } from '../kernel/mlock.js';
import type { Log } from '../log.js';
import type { StateDir } from './state-dir.js';

const prefix = 'locks.';

/** The locks that this process has taken off the memory of others, in a file of its own: what gives them back, a LockChange (JSON) a line. */
export class FileLockJournal implements LockJournal {
  readonly file: string;

  constructor(stateDir: StateDir, pid = process.pid) {
    this.file = stateDir.file(`${prefix}${pid}`);
  }

  write(changes: readonly LockChange[]): void {
    if (changes.length === 0) return rmSync(this.file, { force: true });
    writeFileSync(`${this.file}.new`, changes.map((change) => `${JSON.stringify(change)}\n`).join(''));
    renameSync(`${this.file}.new`, this.file);
  }
}

/** Has the locks given back that earlier daemons left taken off when they died, unless their own processes have done so. */
export async function settleOldLocks(stateDir: StateDir, mlock: MlockInterface, log: Log): Promise<void> {
  for (const name of readdirSync(stateDir.path).filter((one) => one.startsWith(prefix))) {
    const journal = stateDir.file(name);
    if (name.endsWith('.new')) rmSync(journal, { force: true });
    else {
      log.warn(
        { journal },
        'giving back locks that an earlier daemon had taken off the memory of processes when it died',
      );
      await mlock.settle(journal);
    }
  }
}
