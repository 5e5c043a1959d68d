/**
 * The process that traces: `node lock-changer.js CHANGE` makes one LockChange (JSON) and prints its outcome; `node lock-changer.js --settle JOURNAL` locks again what a
 * journal says, a LockChange a line, and removes it. May be killed at any moment: those it traces go on whole.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { systemErrno } from '../../../errors.js';
import { HAS_ENDED, type LockChange, type LockChangeOutcome } from '../../mlock.js';
import { changeLocks } from './lock-changes.js';
import { usleep } from './system-calls.js';

/** Another of our kind may be at the same process: the one whose daemon died, or the next one's. */
const SETTLE_TRIES = 20;
const SETTLE_PAUSE_US = 100_000;

const [task = '', journal = ''] = process.argv.slice(2);
beQuick();
if (task === '--settle') settle(journal);
else process.stdout.write(`${JSON.stringify(changeLocks(JSON.parse(task) as LockChange))}\n`);

/** What is still refused in the end stays in the journal, for the next start of a daemon. */
function settle(journal: string): void {
  if (!existsSync(journal)) return;
  let owed = changesIn(readFileSync(journal, 'utf8'));
  for (let tries = 0; tries < SETTLE_TRIES && owed.length > 0; tries++) {
    if (tries > 0) usleep(SETTLE_PAUSE_US);
    owed = owed.filter((change) => !isSettled(changeLocks(change)));
  }
  if (owed.length === 0) rmSync(journal, { force: true });
  else writeFileSync(journal, owed.map((change) => `${JSON.stringify(change)}\n`).join(''));
}

function isSettled({ refusal }: LockChangeOutcome): boolean {
  return refusal === undefined || refusal === HAS_ENDED;
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
