/** What can be told to fail, by the name of the Kernel method. */
export type Faulty =
  | 'age'
  | 'evict'
  | 'readGenerations'
  | 'stat'
  | 'pressure'
  | 'freeMemory'
  | 'compact'
  | 'drainProcessorLists'
  | 'slab'
  | 'reclaim'
  | 'devices'
  | 'swappedRanges'
  | 'populate'
  | 'readSetting'
  | 'writeSetting';

/** Failures that a test has ordered. Each happens once, in the order in which they were ordered. */
export class Faults {
  readonly #ordered = new Map<Faulty, Error[]>();

  /** The next `times` calls throw `error` and do nothing else. */
  failNext(what: Faulty, error: Error, times = 1): void {
    const errors = this.#ordered.get(what) ?? [];
    this.#ordered.set(what, [...errors, ...Array.from({ length: times }, () => error)]);
  }

  /** Throws the failure that is due, if any. */
  meet(what: Faulty): void {
    const error = this.#ordered.get(what)?.shift();
    if (error) throw error;
  }
}
