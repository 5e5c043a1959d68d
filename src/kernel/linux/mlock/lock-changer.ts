/**
 * The process that traces: `node lock-changer.js CHANGE` makes one LockChange (JSON) and prints its outcome; `node lock-changer.js --settle JOURNAL` locks again what a
 * journal says, a LockChange a line, and removes it. May be killed at any moment: those it traces go on whole.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { setPriority } from 'node:os';
import { systemErrno } from '../../../errors.js';
import type { LockChange } from '../../mlock.js';
import { changeLocks } from './lock-changes.js';
import { usleep } from './system-calls.js';

/** Another of our kind may be at the same process: the one whose daemon died, or the next one's. */
const SETTLE_TRIES = 20;
const SETTLE_PAUSE_US = 100_000;

const [task = '', journal = ''] = process.argv.slice(2);
beQuick();
if (task === '--settle') settle(journal);
else process.stdout.write(`${JSON.stringify(changeLocks(JSON.parse(task) as LockChange))}\n`);

function settle(journal: string): void {
  if (!existsSync(journal)) return;
  for (const change of changesIn(readFileSync(journal, 'utf8')))
    for (let tries = 0; tries < SETTLE_TRIES; tries++) {
      const { refusal } = changeLocks(change);
      if (!refusal?.includes('traces it')) break;
      usleep(SETTLE_PAUSE_US);
    }
  rmSync(journal, { force: true });
}

function changesIn(text: string): LockChange[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LockChange);
}

/** While a process is stopped it waits for this one. Without the right to be quick it waits longer. */
function beQuick(): void {
  try {
    setPriority(-20);
  } catch (failure) {
    if (systemErrno(failure) !== 'EACCES' && systemErrno(failure) !== 'EPERM') throw failure;
  }
}
