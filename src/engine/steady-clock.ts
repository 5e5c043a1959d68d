import type { Clock } from '../kernel/clock.js';

/**
 * A clock that never goes back, over one that should not: where that steps back, this one stands still until somebody asks it again, and goes on from there.
 * One place for all who keep times: each would else wait for a moment that was long ago, or count from one that is still to come.
 */
export function steadyClock(clock: Clock): Clock {
  let latestMs = -Infinity;
  let steppedBackMs = 0;
  return {
    nowMs: () => {
      const nowMs = clock.nowMs() + steppedBackMs;
      if (nowMs < latestMs) steppedBackMs += latestMs - nowMs;
      else latestMs = nowMs;
      return latestMs;
    },
    sleep: (ms, signal) => clock.sleep(ms, signal),
  };
}
