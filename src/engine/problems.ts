import type { Log } from '../log.js';

/** One thing that a user should know about a write: what was not done, or done otherwise than asked, and why. */
export interface Problem {
  readonly at: Date;
  /** The file or memcg it is about, as a person reads it. */
  readonly about: string;
  readonly sentence: string;
}

/** The latest problems, oldest first, each also in the log. What coldpgs/errors shows. */
export class Problems {
  readonly #latest: Problem[] = [];

  constructor(
    private readonly log: Log,
    private readonly keep = 64,
  ) {}

  report(about: string, sentence: string): void {
    this.#latest.push({ at: new Date(), about, sentence });
    if (this.#latest.length > this.keep) this.#latest.shift();
    this.log.warn({ about }, sentence);
  }

  latest(): readonly Problem[] {
    return this.#latest;
  }
}
