import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
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

/** Nice value of the thread that answers files. */
const answeringNice = -10;

/**
 * Lets the thread that answers files go before those in which the kernel reclaims: four of them would keep it waiting on a machine with few processors. To be
 * called from that thread when the others run, and what is started as a process of its own: they inherit it. Logs when the kernel refuses.
 */
export function favourAnswers(log: Log): void {
  try {
    // Linux has a nice value for each thread; a process's id is that of its first one.
    setPriority(process.pid, answeringNice);
  } catch (refusal) {
    log.warn(
      { refusal: sentenceOf(refusal) },
      'cannot raise the priority of answers: reclaims may keep readers waiting',
    );
  }
}
