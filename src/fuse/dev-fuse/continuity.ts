/** How a write ended, or that its effect had begun. */
export type WriteOutcome = { readonly count: number } | { readonly errno: number } | 'begun';

/**
 * What a process that serves a mount leaves to the one that goes on with it when it is killed. Requests are numbered by the kernel; those that were
 * read and not answered are sent again to the next process. When `begun` and `ended` return, what they were told survives this process.
 */
export interface Continuity {
  /** How many processes served the mount before. */
  readonly incarnation: number;
  /** What the process before had written of that request; undefined when it had not begun. */
  outcomeOf(unique: number): WriteOutcome | undefined;
  /** The effect of a write goes on from here, beside other requests: it must not be begun again. */
  begun(unique: number): void;
  /** The write is about to be answered so. */
  ended(unique: number, outcome: WriteOutcome): void;
  /** The write was answered: nobody will ask for it again. */
  answered(unique: number): void;
  /** Files whose pollers wait for a wake-up, by the kernel's names for them; `inherited` are those of the process before. */
  readonly inheritedPollers: readonly number[];
  polled(kernelHandles: readonly number[]): void;
}

/** For a mount that ends with its process. */
export const noContinuity: Continuity = {
  incarnation: 0,
  outcomeOf: () => undefined,
  begun: () => undefined,
  ended: () => undefined,
  answered: () => undefined,
  inheritedPollers: [],
  polled: () => undefined,
};
