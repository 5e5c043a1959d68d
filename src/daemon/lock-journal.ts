import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { LockJournal } from '../engine/lock-loans.js';
import type { LockChange, MlockInterface } from '../kernel/mlock.js';
import type { Log } from '../log.js';
import type { StateDir } from './state-dir.js';

const prefix = 'locks.';

/** The locks that this process has taken off the memory of others, in a file of its own: what gives them back, a LockChange (JSON) a line, and the boot with each. */
export class FileLockJournal implements LockJournal {
  readonly file: string;

  constructor(
    stateDir: StateDir,
    private readonly boot: string,
    pid = process.pid,
  ) {
    this.file = stateDir.file(`${prefix}${pid}`);
  }

  write(changes: readonly LockChange[]): void {
    if (changes.length === 0) return rmSync(this.file, { force: true });
    writeFileSync(
      `${this.file}.new`,
      changes.map((change) => `${JSON.stringify({ ...change, boot: this.boot })}\n`).join(''),
    );
    renameSync(`${this.file}.new`, this.file);
  }
}

/**
 * Has the locks given back that earlier daemons left taken off when they died, unless their own processes have done so. Those of another boot ended
 * with it: process ids and start times count from the start of the machine, so another process may have them now.
 */
export async function settleOldLocks(stateDir: StateDir, mlock: MlockInterface, boot: string, log: Log): Promise<void> {
  for (const name of readdirSync(stateDir.path).filter((one) => one.startsWith(prefix))) {
    const journal = stateDir.file(name);
    if (name.endsWith('.new')) rmSync(journal, { force: true });
    else if (isOfAnotherBoot(readFileSync(journal, 'utf8'), boot)) {
      log.info({ journal }, 'locks that an earlier daemon had taken off are of another boot: nothing is given back');
      rmSync(journal, { force: true });
    } else {
      log.warn(
        { journal },
        'giving back locks that an earlier daemon had taken off the memory of processes when it died',
      );
      await mlock.settle(journal);
    }
  }
}

function isOfAnotherBoot(text: string, boot: string): boolean {
  const [, named] = /"boot":"([^"]+)"/.exec(text) ?? [];
  return named !== undefined && named !== boot;
}
