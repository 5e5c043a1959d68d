import type { SettingInterface } from '../kernel/kernel.js';

/** A setting of the machine that coldpgs has changed, and what it was before. */
export interface Loan {
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
  readonly #loans = new Map<string, { value: string; borrowers: number }>();

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

  /** Gives everything back at once: the daemon ends. Failures are answered, and stay in the journal. */
  giveBackAll(): Error[] {
    const failures: Error[] = [];
    for (const [file, { value }] of [...this.#loans].reverse())
      try {
        this.#restore(file, value);
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
    this.#restore(file, loan.value);
    this.#note();
  }

  /** A file that is gone (its memcg was removed) needs no restoring. */
  #restore(file: string, value: string): void {
    if (this.settings.read(file) !== undefined) this.settings.write(file, value);
    this.#loans.delete(file);
  }

  #note(): void {
    this.journal.write([...this.#loans].reverse().map(([file, { value }]) => ({ file, value })));
  }
}
