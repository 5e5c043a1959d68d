/** How a write ended, that its effect had begun, or that it waited for its turn. */
export type WriteOutcome = { readonly count: number } | { readonly errno: number } | 'begun' | 'waiting';

/**
 * What a process that serves a mount leaves to the one that goes on with it when it is killed. Requests are numbered by the kernel; those that were
 * read and not answered are sent again to the next process. When these methods return, what they were told survives this process.
 */
export interface Continuity {
  /** How many processes served the mount before. */
  readonly incarnation: number;
  /** What the process before had not answered, and how far it got with it. A write that is not here had not begun. */
  readonly inheritedWrites: ReadonlyMap<number, WriteOutcome>;
  /** The effect of a write goes on from here, beside other requests: it must not be begun again. */
  begun(unique: number): void;
  /** The write is about to be answered so. */
  ended(unique: number, outcome: WriteOutcome): void;
  /** The write was answered: nobody will ask for it again. */
  answered(unique: number): void;
  /** Files whose pollers wait for a wake-up, by the kernel's names for them; `inherited` are those of the process before. May survive a moment later. */
  readonly inheritedPollers: readonly number[];
  polled(kernelHandles: readonly number[]): void;
  /** Where the kernel cannot send requests again (before 6.9): the request that is answered next, and a write or a change of directories that was read and will be answered later. */
  readonly inheritedTaken: number | undefined;
  taken(unique: number): void;
  waiting(unique: number): void;
}

/** For a mount that ends with its process. */
export const noContinuity: Continuity = {
  incarnation: 0,
  inheritedWrites: new Map(),
  begun: () => undefined,
  ended: () => undefined,
  answered: () => undefined,
  inheritedPollers: [],
  polled: () => undefined,
  inheritedTaken: undefined,
  taken: () => undefined,
  waiting: () => undefined,
};
