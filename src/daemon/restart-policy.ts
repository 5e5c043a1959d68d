export interface RestartPolicy {
  /** Milliseconds in which crashes count together. */
  readonly windowMs: number;
  /** As many crashes within the window, and no further try is made to do more than show the last state. */
  readonly mostCrashes: number;
  /** Before the restart after the first crash within the window, the second, and so on; the last for all that follow. */
  readonly delaysMs: readonly [number, ...number[]];
  /** Before a daemon that only showed the last state is started again when even that one ended. */
  readonly lastStateDelayMs: number;
}

export const defaultRestartPolicy: RestartPolicy = {
  windowMs: 60_000,
  mostCrashes: 5,
  delaysMs: [0, 100, 500, 2_000],
  lastStateDelayMs: 10_000,
};

export interface Restart {
  readonly delayMs: number;
  /** The next daemon answers reads from the last state and refuses writes. */
  readonly lastStateOnly: boolean;
}

/** How to go on after the last of these crashes, given when each happened (milliseconds, in order). */
export function restartAfter(
  crashesAtMs: readonly number[],
  { windowMs, mostCrashes, delaysMs, lastStateDelayMs } = defaultRestartPolicy,
): Restart {
  const nowMs = crashesAtMs.at(-1) ?? 0;
  const recent = crashesAtMs.filter((atMs) => nowMs - atMs < windowMs).length;
  if (recent > mostCrashes) return { delayMs: lastStateDelayMs, lastStateOnly: true };
  if (recent === mostCrashes) return { delayMs: 0, lastStateOnly: true };
  return { delayMs: delaysMs[recent - 1] ?? delaysMs.at(-1) ?? 0, lastStateOnly: false };
}
