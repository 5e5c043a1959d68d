import type { SettingInterface } from '../kernel/kernel.js';

/** A setting of the machine that coldpgs has changed, and what it was before. */
export interface Loan {
  readonly file: string;
  readonly value: string;
  /** Without one the setting is given back whatever has become of it. */
  readonly proof?: LoanProof;
}

/** A setting is still the one that was changed while `file` says `value`. */
export interface LoanProof {
  readonly file: string;
  readonly value: string;
}

/** Where loans are noted before they are taken, so that a crash loses none: writes must have reached the file when `write` returns. */
export interface LoanJournal {
  /** The latest loan comes first, as it must be given back first: one setting may exist only while another is borrowed. */
  write(loans: readonly Loan[]): void;
}

/**
 * Settings of the machine changed for a while. Each original is in the journal before the change and out of it after the value is
 * back; several borrowers of one file share the loan, and the last one gives it back.
 */
export class BorrowedSettings {
  readonly #loans = new Map<string, { value: string; borrowers: number; proof?: LoanProof }>();

  constructor(
    private readonly settings: SettingInterface,
    private readonly journal: LoanJournal,
  ) {}

  /**
   * Sets `file` to `value` until the returned function is called. Throws KERNEL_REFUSED, or what the journal throws; then nothing is changed.
   */
  borrow(file: string, value: string): () => void {
    const loan = this.#loans.get(file);
    if (loan) loan.borrowers++;
    else {
      const original = this.settings.read(file);
      if (original === undefined || original === value) return () => undefined;
      this.#take(file, original, value);
    }
    let returned = false;
    return () => {
      if (!returned) this.#giveBack(file);
      returned = true;
    };
  }

  /**
   * From now on these loans are given back while the proof holds, else forgotten: then the settings are somebody else's. It is asked for before the first
   * of them is given back, and holds for all: giving that back may end what it goes by.
   */
  bind(files: readonly string[], proof: LoanProof): void {
    for (const file of files) {
      const loan = this.#loans.get(file);
      if (loan) loan.proof = proof;
    }
    this.#note();
  }

  /** Gives everything back at once: the daemon ends. Failures are answered, and stay in the journal. */
  giveBackAll(): Error[] {
    const failures: Error[] = [];
    for (const file of [...this.#loans.keys()].reverse())
      try {
        this.#restore(file);
      } catch (failure) {
        failures.push(failure as Error);
      }
    this.#note();
    return failures;
  }

  #take(file: string, original: string, value: string): void {
    this.#loans.set(file, { value: original, borrowers: 1 });
    let noted = false;
    try {
      this.#note();
      noted = true;
      this.settings.write(file, value);
    } catch (failure) {
      this.#loans.delete(file);
      if (noted) this.#note();
      throw failure;
    }
  }

  #giveBack(file: string): void {
    const loan = this.#loans.get(file);
    if (!loan || --loan.borrowers > 0) return;
    this.#restore(file);
    this.#note();
  }

  /** A file that is gone (its memcg was removed) needs no restoring. */
  #restore(file: string): void {
    const loan = this.#loans.get(file);
    if (!loan) return;
    const { value, proof } = loan;
    const bound = [...this.#loans].filter(([, one]) => proof && one.proof === proof);
    if (proof && this.settings.read(proof.file) !== proof.value) {
      for (const [one] of bound) this.#loans.delete(one);
      return;
    }
    if (this.settings.read(file) !== undefined) this.settings.write(file, value);
    this.#loans.delete(file);
    for (const [, one] of bound) delete one.proof;
  }

  #note(): void {
    const loans = [...this.#loans].reverse();
    this.journal.write(loans.map(([file, { value, proof }]) => ({ file, value, ...(proof && { proof }) })));
  }
}
