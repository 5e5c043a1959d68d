/** System calls that Node has no function for, through the C library. Needs the package koffi, which is optional. */
import koffi from 'koffi';

export const libc = koffi.load(null);

/** How the system calls that are made here can fail. */
const OWN_ERRORS = ['EBADF', 'EBUSY', 'ECHILD', 'EFAULT', 'EINTR', 'EINVAL', 'EIO', 'ENODEV', 'EPERM', 'ESRCH'];
const MOST_TRIES = 10;

/** A system call that the kernel refused, as Node reports its own: with the errno's name in `code`. */
export class SystemCallError extends Error {
  readonly code: string;
  constructor(call: string, code: string) {
    super(`${call}: ${code}`);
    this.code = code;
  }
}

/**
 * What `call`, a system call, answers. Throws SystemCallError. Between it and our look at errno the engine may have made calls of its own (a collection that returns memory), and left theirs: a call that
 * seems to have failed as it cannot (`ownErrors`) is made again. One that failed has done nothing that may not be done again.
 */
export function called(name: string, call: () => number, ownErrors: readonly string[] = OWN_ERRORS): number {
  for (let tries = 1; ; tries++) {
    const result = call();
    if (result !== -1) return result;
    const code = errnoName(koffi.errno());
    if (ownErrors.includes(code) || tries === MOST_TRIES) throw new SystemCallError(name, code);
  }
}

export function addressOf(buffer: Buffer): number {
  return Number(koffi.address(buffer));
}

function errnoName(errno: number): string {
  return Object.entries(koffi.os.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
}
