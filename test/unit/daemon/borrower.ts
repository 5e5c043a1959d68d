/**
 * A daemon reduced to its loans: `node borrower.js STATE_FOLDER FILE ...` borrows each file (to the value "borrowed"), says so, and waits. At the end
 * of stdin it gives everything back and ends; killed, it leaves that to the guardian. That the last file says so is the proof of those named "bound".
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { FileLoanJournal } from '../../../src/daemon/loan-journal.js';
import { startGuardian } from '../../../src/daemon/guardian.js';
import { bootId, StateDir } from '../../../src/daemon/state-dir.js';
import { BorrowedSettings } from '../../../src/engine/borrowed-settings.js';
import { silentLog } from '../../../src/log.js';

const [folder, ...files] = process.argv.slice(2);
// `tap FOLDER` runs this file too, without arguments.
if (folder !== undefined) borrow(folder);

function borrow(folder: string): void {
  const journal = new FileLoanJournal(StateDir.claim(folder), bootId());
  startGuardian(journal.file, silentLog);
  const borrowed = new BorrowedSettings(
    {
      memcgFile: () => undefined,
      read: (file) => (existsSync(file) ? readFileSync(file, 'utf8').trimEnd() : undefined),
      write: (file, value) => writeFileSync(file, value),
    },
    journal,
  );
  for (const file of files) borrowed.borrow(file, 'borrowed');
  const bound = files.filter((file) => basename(file).startsWith('bound'));
  borrowed.bind(bound, { file: files.at(-1) ?? '', value: 'borrowed' });
  process.stdout.write('borrowed\n');
  process.stdin.on('end', () => borrowed.giveBackAll()).resume();
}
