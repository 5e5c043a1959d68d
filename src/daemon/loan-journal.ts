import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { sentenceOf, systemErrno } from '../errors.js';
import type { Loan, LoanJournal, LoanProof } from '../engine/borrowed-settings.js';
import type { SettingInterface } from '../kernel/kernel.js';
import type { Log } from '../log.js';
import type { StateDir } from './state-dir.js';

const prefix = 'loans.';
/** As the guardian's script renames it. */
const takenByGuardian = '.settled';
const takenByUs = '.taken';
/** What lines begin with that are no loans: what follows is no path, by which whoever does not know them can tell. */
const bootMark = 'boot';
const proofMark = 'while';

/**
 * The loans of this process in a file of its own, latin1: a line that names the boot, then `value TAB file` for each, after a line with its proof where it has
 * one. The guardian and the next start read it.
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
    const lines = [`${bootMark}\t${this.boot}`, ...loans.flatMap(linesOf)];
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

function linesOf({ file, value, proof }: Loan): string[] {
  return [...(proof ? [`${proofMark}\t${proof.value} ${proof.file}`] : []), `${value}\t${file}`];
}

function giveBackAll(loans: readonly Loan[], settings: SettingInterface, log: Log): void {
  const holds = proofReader(settings);
  for (const { file, value, proof } of loans)
    try {
      if (!holds(proof)) {
        log.info({ file }, 'a setting that an earlier daemon had borrowed is somebody else’s now: it is left alone');
        continue;
      }
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

/** Whether a proof holds, or there is none. Each is asked for once: giving back the first of the loans that share one may end what it goes by. */
function proofReader(settings: SettingInterface): (proof: LoanProof | undefined) => boolean {
  const known = new Map<string, boolean>();
  return (proof) => {
    if (!proof) return true;
    const key = `${proof.value} ${proof.file}`;
    const holds = known.get(key) ?? settings.read(proof.file) === proof.value;
    known.set(key, holds);
    return holds;
  };
}

/** The boot that a journal is of; undefined for one that does not say. */
function bootOf(text: string): string | undefined {
  return new RegExp(`^${bootMark}\t(.+)\n`).exec(text)?.[1];
}

/** The loans of a journal; lines that are cut short name no file and are left out. A file's name may have tabs in it, a value has none. */
export function parseLoans(text: string): Loan[] {
  let proof: LoanProof | undefined;
  return text.split('\n').flatMap((line) => {
    const tab = line.indexOf('\t');
    const [value, file] = [line.slice(0, tab), line.slice(tab + 1)];
    if (tab > 0 && file.startsWith('/')) {
      const loan = { value, file, ...(proof && { proof }) };
      proof = undefined;
      return [loan];
    }
    const space = file.indexOf(' ');
    if (value === proofMark) proof = { value: file.slice(0, space), file: file.slice(space + 1) };
    return [];
  });
}
