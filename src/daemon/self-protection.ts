import { writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { sentenceOf } from '../errors.js';
import type { Log } from '../log.js';

/** Keeps the OOM killer off the daemon: without it every reader of the mount would hang or fail. Logs when the kernel refuses. */
export function protectFromOom(log: Log): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '-1000');
  } catch (refusal) {
    log.warn(
      { refusal: sentenceOf(refusal) },
      'cannot lower oom_score_adj: under memory pressure the daemon may be killed',
    );
  }
}

/** Nice value of the thread that answers files while memory is reclaimed. */
const answeringNice = -10;

/**
 * Lets the thread that answers files go before those in which the kernel reclaims: four of them would keep it waiting on a machine with few processors. Not all the time,
 * for who reads on the same processor would wait for it longer. To be called from that thread. Logs when the kernel refuses, once.
 */
export function answersFirst(log: Log): (first: boolean) => void {
  const givenNice = getPriority();
  let refused = false;
  return (first) => {
    if (refused) return;
    try {
      // Linux has a nice value for each thread; a process's id is that of its first one.
      setPriority(process.pid, first ? Math.min(answeringNice, givenNice) : givenNice);
    } catch (refusal) {
      refused = true;
      log.warn(
        { refusal: sentenceOf(refusal) },
        'cannot raise the priority of answers: reclaims may keep readers waiting',
      );
    }
  };
}
