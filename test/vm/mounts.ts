import { readFileSync } from 'node:fs';

/** The lines of /proc/self/mountinfo about a mount point: each begins with the id of its mount. */
export function mountsAt(mountPoint: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.split(' ')[4] === mountPoint);
}
