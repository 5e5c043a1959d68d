import { constants } from 'node:os';
import type { Continuity } from './continuity.js';
import { FUSE_NOTIFY_RESEND, FUSE_UNIQUE_STEP } from './protocol.js';
import type { ReplyBuffer, Send } from './replies.js';
import { type Header, headerOf, uniqueOf } from './requests.js';

/** Numbers that may lie between the last request that was noted and the next one that was read: of those that want no answer, and so are not noted. */
const MOST_UNNOTED = 512;

/** Requests that a process had read and not answered when it was killed: the kernel sends them again (from 6.9 on), or they get EIO. */
export class Resends {
  #arePossible = true;

  constructor(
    private readonly send: Send,
    private readonly replies: ReplyBuffer,
    private readonly continuity: Continuity,
  ) {}

  /** Whether the kernel sends requests again that a process took along when it died. */
  get arePossible(): boolean {
    return this.#arePossible;
  }

  /** Asks for those of the process before, and so learns whether the kernel can. */
  ask(): void {
    this.#arePossible = this.send(this.replies.notification(FUSE_NOTIFY_RESEND)) === undefined;
  }

  /** A request that wants an answer was read: noted, where the next process could not ask for it. */
  taken(header: Header): void {
    if (!this.#arePossible) this.continuity.taken(uniqueOf(header.uniqueLow, header.uniqueHigh));
  }

  /**
   * EIO for the request that the process before this one had in hand. It may have died before it could note that one: then it is among those that come
   * after the last it noted. To the kernel, answers to all but what it has handed out mean nothing (ENOENT), and this process has taken none yet.
   */
  answerTaken(answer: (header: Header, errno: number) => void): void {
    const { inheritedTaken, inheritedWrites } = this.continuity;
    if (inheritedTaken === undefined) return;
    for (let later = 0; later <= MOST_UNNOTED; later++) {
      const unique = inheritedTaken + later * FUSE_UNIQUE_STEP;
      if (!inheritedWrites.has(unique)) answer(headerOf(unique), constants.errno.EIO);
    }
  }
}
