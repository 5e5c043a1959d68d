import { writeFileSync } from 'node:fs';
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
