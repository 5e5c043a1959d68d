import { sentenceOf } from '../errors.js';
import type { Log } from '../log.js';

/**
 * Work that is done again and again, whether or not it failed the time before. The log has a line with the reason when it begins to fail, and one when it
 * works again: who looks once a second would fill it otherwise.
 */
export class Retried {
  #isFailing = false;

  constructor(
    private readonly name: string,
    private readonly log: Log,
  ) {}

  /** What `work` answers, or `otherwise` where it fails. */
  async attempt<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      const answer = await work();
      if (this.#isFailing) this.log.info({}, `${this.name} works again`);
      this.#isFailing = false;
      return answer;
    } catch (failure) {
      const fields = { failure: sentenceOf(failure) };
      if (this.#isFailing) this.log.debug(fields, `${this.name} still fails`);
      else this.log.error(fields, `${this.name} failed; it is tried again with each look`);
      this.#isFailing = true;
      return otherwise;
    }
  }
}
