import { setTimeout as sleep } from 'node:timers/promises';
import { systemErrno } from '../../errors.js';

/** Whoever holds the lock does so for microseconds, or until a kdamond's next sample. */
const ATTEMPTS = 20;
const PAUSE_MS = 50;

const nobody = new Int32Array(new SharedArrayBuffer(4));

/**
 * What `access` answers as soon as it does not throw EBUSY, which it may for a second. DAMON's sysfs files refuse whoever meets another reader or writer
 * rather than let him wait (damon_sysfs_lock in mm/damon/sysfs.c). This thread waits.
 */
export function onceNotBusySync<Answer>(access: () => Answer): Answer {
  for (let attempt = 1; ; attempt++)
    try {
      return access();
    } catch (error) {
      if (attempt === ATTEMPTS || systemErrno(error) !== 'EBUSY') throw error;
      Atomics.wait(nobody, 0, 0, PAUSE_MS);
    }
}

/** As {@link onceNotBusySync}; others have their turn meanwhile. */
export async function onceNotBusy<Answer>(access: () => Answer | Promise<Answer>): Promise<Answer> {
  for (let attempt = 1; ; attempt++)
    try {
      return await access();
    } catch (error) {
      if (attempt === ATTEMPTS || systemErrno(error) !== 'EBUSY') throw error;
      await sleep(PAUSE_MS);
    }
}
