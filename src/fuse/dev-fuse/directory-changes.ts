import { errnoOf } from '../../tree/errno.js';
import type { Located, Tree } from '../../tree/tree.js';
import type { Continuity } from './continuity.js';
import { callerOf, type Header, isResent, type Request, uniqueOf } from './requests.js';

/** What changes of directories need of the session that they are part of. */
export interface ChangeSurroundings {
  readonly tree: Tree;
  readonly continuity: Continuity;
  /** Throws where the node has gone. */
  locate(header: Header): Located;
  /** For people. */
  pathOf(header: Header): string;
  /** Whether the kernel sends requests again that a process took along when it died. */
  canResend(): boolean;
  answer(header: Header, errno: number): void;
  answerEntry(header: Header, entry: Located): void;
}

/**
 * mkdir and rmdir among the machine's own directories, which take the kernel its time. A process may die between the effect and its answer: asked
 * again, the next one finds done what it is to do, and answers so.
 */
export class DirectoryChanges {
  constructor(private readonly surroundings: ChangeSurroundings) {}

  make(header: Header, { name, mode }: Extract<Request, { op: 'mkdir' }>): void {
    const { tree } = this.surroundings;
    this.#begin(header, async () => {
      const parent = this.surroundings.locate(header);
      return tree.make(parent, name, mode, callerOf(header)).catch((failure: unknown) => {
        const there = isDoneBefore(header, failure, 'EEXIST') ? tree.child(parent, name) : undefined;
        if (there === undefined) throw failure;
        return there;
      });
    });
  }

  remove(header: Header, { name }: Extract<Request, { op: 'rmdir' }>): void {
    const { tree } = this.surroundings;
    this.#begin(header, async () => {
      await tree.remove(this.surroundings.locate(header), name, callerOf(header)).catch((failure: unknown) => {
        if (!isDoneBefore(header, failure, 'ENOENT')) throw failure;
      });
    });
  }

  #begin(header: Header, change: () => Promise<Located | void>): void {
    const { surroundings } = this;
    const { continuity, tree } = surroundings;
    const unique = uniqueOf(header.uniqueLow, header.uniqueHigh);
    if (!surroundings.canResend()) continuity.waiting(unique);
    change()
      .then((made) => {
        if (made) surroundings.answerEntry(header, made);
        else surroundings.answer(header, 0);
        tree.outcomes.succeeded('change');
      })
      .catch((thrown: unknown) => {
        const errno = tree.outcomes.failed('change', surroundings.pathOf(header), thrown);
        surroundings.answer(header, errno);
      })
      .finally(() => continuity.answered(unique));
  }
}

/** Whether a change fails because the process that was asked first has made it. */
function isDoneBefore(header: Header, failure: unknown, errno: 'EEXIST' | 'ENOENT'): boolean {
  return isResent(header) && errnoOf(failure).name === errno;
}
