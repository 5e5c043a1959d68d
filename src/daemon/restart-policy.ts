/** Milliseconds in which crashes count together. */
const WINDOW_MS = 60_000;

/** As many crashes within the window, and no further try is made to do more than show the last state. */
export const MOST_CRASHES = 5;

/** Before the first restart within the window, the second, and so on. */
const DELAYS_MS = [0, 100, 500, 2_000];

/** Before the daemon that only shows the last state is started again when even that one ends. */
const LAST_STATE_DELAY_MS = 10_000;

export interface Restart {
  readonly delayMs: number;
  /** The next daemon answers reads from the last state and refuses writes. */
  readonly lastStateOnly: boolean;
}

/** How to go on after the last of these crashes, given when each happened (milliseconds, in order). A daemon that only shows the last state counts on. */
export function restartAfter(crashesAtMs: readonly number[], mostCrashes = MOST_CRASHES): Restart {
  const nowMs = crashesAtMs.at(-1) ?? 0;
  const recent = crashesAtMs.filter((atMs) => nowMs - atMs < WINDOW_MS).length;
  if (recent > mostCrashes) return { delayMs: LAST_STATE_DELAY_MS, lastStateOnly: true };
  if (recent === mostCrashes) return { delayMs: 0, lastStateOnly: true };
  return { delayMs: DELAYS_MS[recent - 1] ?? DELAYS_MS.at(-1) ?? 0, lastStateOnly: false };
}
