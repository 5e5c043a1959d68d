import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { sentenceOf, systemErrno } from '../errors.js';
import type { Loan, LoanJournal } from '../engine/borrowed-settings.js';
import type { SettingInterface } from '../kernel/kernel.js';
import type { Log } from '../log.js';
import type { StateDir } from './state-dir.js';

const prefix = 'loans.';
/** As the guardian's script renames it. */
const takenByGuardian = '.settled';
const takenByUs = '.taken';
/** Begins the line that names the boot. What follows is no path, so it is no loan to whoever does not know such lines. */
const bootMark = 'boot';

/**
 * The loans of this process in a file of its own: `value TAB file` a line, after one that names the boot; latin1. The guardian and the next start read it.
 * The process id in the name keeps a late guardian off the loans of a new daemon.
 */
export class FileLoanJournal implements LoanJournal {
  readonly file: string;

  constructor(
    stateDir: StateDir,
    private readonly boot: string,
    pid = process.pid,
  ) {
    this.file = stateDir.file(`${prefix}${pid}`);
  }

  write(loans: readonly Loan[]): void {
    if (loans.length === 0) return rmSync(this.file, { force: true });
    const lines = [`${bootMark}\t${this.boot}`, ...loans.map(({ file, value }) => `${value}\t${file}`)];
    writeFileSync(`${this.file}.new`, `${lines.join('\n')}\n`, 'latin1');
    renameSync(`${this.file}.new`, this.file);
  }
}

/** Milliseconds that a guardian may take over a journal that it has taken. One that takes longer was killed, too. */
const GUARDIAN_PATIENCE_MS = 3_000;

/**
 * Gives back what earlier daemons left borrowed when they died; what the kernel refuses now is logged and forgotten. A daemon that goes on with the
 * mount of one that was killed starts beside that one's guardian: who renames a journal first settles it, and this waits for what the guardian got.
 * Else the guardian could give back under a daemon that has borrowed the same setting again. Loans of another boot ended with it: what has those names now was never borrowed.
 */
export async function settleOldLoans(
  stateDir: StateDir,
  settings: SettingInterface,
  boot: string,
  log: Log,
): Promise<void> {
  for (const name of journalsIn(stateDir).filter((one) => !one.endsWith(takenByGuardian))) take(stateDir.file(name));
  const end = performance.now() + GUARDIAN_PATIENCE_MS;
  while (journalsIn(stateDir).some((one) => one.endsWith(takenByGuardian)) && performance.now() < end) await sleep(20);
  for (const name of journalsIn(stateDir)) {
    const journal = stateDir.file(name);
    if (!existsSync(journal)) continue;
    const text = readFileSync(journal, 'latin1');
    if ((bootOf(text) ?? boot) === boot) giveBackAll(parseLoans(text), settings, log);
    else log.info({ journal }, 'what an earlier daemon had borrowed is of another boot: nothing is given back');
    rmSync(journal, { force: true });
  }
}

function giveBackAll(loans: readonly Loan[], settings: SettingInterface, log: Log): void {
  for (const { file, value } of loans)
    try {
      if (settings.read(file) !== undefined) settings.write(file, value);
      log.warn({ file, value }, 'gave back a setting that an earlier daemon had borrowed when it died');
    } catch (refusal) {
      log.error(
        { file, value, refusal: sentenceOf(refusal) },
        'cannot give back a setting that an earlier daemon had borrowed',
      );
    }
}

function journalsIn(stateDir: StateDir): string[] {
  return readdirSync(stateDir.path).filter((one) => one.startsWith(prefix));
}

/** Keeps the guardian off a journal, unless it was faster. */
function take(journal: string): void {
  try {
    if (!journal.endsWith(takenByUs)) renameSync(journal, `${journal}${takenByUs}`);
  } catch (failure) {
    if (systemErrno(failure) !== 'ENOENT') throw failure;
  }
}

/** The boot that a journal is of; undefined for one that does not say. */
function bootOf(text: string): string | undefined {
  return new RegExp(`^${bootMark}\t(.+)\n`).exec(text)?.[1];
}

/** The loans of a journal; lines that are cut short name no file and are left out. A file's name may have tabs in it, a value has none. */
export function parseLoans(text: string): Loan[] {
  return text.split('\n').flatMap((line) => {
    const tab = line.indexOf('\t');
    const [value, file] = [line.slice(0, tab), line.slice(tab + 1)];
    return tab > 0 && file.startsWith('/') ? [{ value, file }] : [];
  });
}
