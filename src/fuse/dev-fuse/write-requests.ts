import { constants } from 'node:os';
import { shown, type Writer } from '../../tree/outcomes.js';
import type { Tree } from '../../tree/tree.js';
import type { Continuity, WriteOutcome } from './continuity.js';
import { isAskedToStop } from './pending-signals.js';
import { callerOf, type FileHandle, type Header, headerOf, isResent, type Request, uniqueOf } from './requests.js';

const { EAGAIN } = constants.errno;

/** Milliseconds between looks at the signals of a writer that has got some, but none that asks it to stop. */
const SIGNAL_LOOK_MS = 100;

/** What writes need of the session that they are part of. */
export interface WriteSurroundings {
  readonly tree: Tree;
  readonly continuity: Continuity;
  /** The tree's handle. Throws where the node has gone. */
  handleOf(header: Header, handle: FileHandle, flags: number): number;
  /** For people. */
  pathOf(header: Header): string;
  /** Whether the kernel sends requests again that a process took along when it died. */
  canResend(): boolean;
  answer(header: Header, errno: number): void;
  answerWritten(header: Header, count: number): void;
}

/** Writes that have been asked for and not answered: what a writer waits for, may give up, and is told once, by whichever process. */
export class WriteRequests {
  readonly #underWay = new Map<number, { readonly interrupt: AbortController; readonly threadId: number }>();

  constructor(private readonly surroundings: WriteSurroundings) {}

  begin(header: Header, { low, high, bytes, flags }: Extract<Request, { op: 'write' }>): void {
    const { tree, continuity } = this.surroundings;
    const unique = uniqueOf(header.uniqueLow, header.uniqueHigh);
    const inherited = isResent(header) ? continuity.inheritedWrites.get(unique) : undefined;
    const { uid, gid, pid } = header;
    const writer = { uid, gid, pid, text: shown(bytes) };
    const path = this.surroundings.pathOf(header);
    if (inherited !== undefined) return this.#answer(header, inherited, { path, ...writer });
    if (!this.surroundings.canResend()) continuity.waiting(unique);
    const interrupt = new AbortController();
    this.#underWay.set(unique, { interrupt, threadId: pid });
    const ended = (outcome: WriteOutcome): void => {
      this.#underWay.delete(unique);
      continuity.ended(unique, outcome);
      this.#answer(header, outcome);
    };
    const write = async (): Promise<number> => {
      const begun = (): void => continuity.begun(unique);
      const handle = this.surroundings.handleOf(header, { low, high }, flags);
      return tree.write(handle, bytes, { signal: interrupt.signal, begun, caller: callerOf(header) });
    };
    write().then(
      (count) => {
        tree.outcomes.wrote(path, writer);
        ended({ count });
      },
      (thrown: unknown) => ended({ errno: tree.outcomes.failed('write', path, thrown, writer) }),
    );
  }

  /** The kernel tells of the first signal of a writer only, whatever it is, unless it is asked to tell again. Of writes that have ended it knows. */
  interrupt(header: Header, unique: number): void {
    const write = this.#underWay.get(unique);
    if (write === undefined) return;
    if (isAskedToStop(write.threadId)) return write.interrupt.abort();
    const askAgain = (): void => {
      if (this.#underWay.has(unique)) this.surroundings.answer(header, EAGAIN);
    };
    setTimeout(askAgain, SIGNAL_LOOK_MS).unref();
  }

  /** Answers what an earlier process had read and not answered, where the kernel cannot send it again. */
  answerInherited(): void {
    for (const [unique, outcome] of this.surroundings.continuity.inheritedWrites)
      this.#answer(headerOf(unique), outcome);
  }

  /**
   * A write whose effect was cut off by the end of an earlier process ends like one that was interrupted: what is done is counted. That process logged
   * what had ended; what it left unfinished is logged here, with what is known `about` it.
   */
  #answer(header: Header, outcome: WriteOutcome, about: { readonly path?: string } & Partial<Writer> = {}): void {
    if (outcome === 'begun' || outcome === 'waiting') {
      const errno = outcome === 'begun' ? 'EINTR' : 'EIO';
      this.surroundings.tree.outcomes.cutOff(errno, about);
      this.surroundings.answer(header, constants.errno[errno]);
    } else if ('errno' in outcome) this.surroundings.answer(header, outcome.errno);
    else this.surroundings.answerWritten(header, outcome.count);
    this.surroundings.continuity.answered(uniqueOf(header.uniqueLow, header.uniqueHigh));
  }
}
