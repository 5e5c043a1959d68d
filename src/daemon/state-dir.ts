import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ColdpgsError, systemErrno } from '../errors.js';

/** The folder with the saved state, claimed by one daemon at a time. */
export class StateDir {
  private constructor(readonly path: string) {}

  /** Makes the folder if need be and claims it. Throws STATE_IN_USE when a live daemon has it, BAD_SETTING when it cannot be used. */
  static claim(path: string): StateDir {
    try {
      makeFolder(resolve(path));
      const holder = readProcess(join(path, 'daemon'));
      if (holder !== undefined) throw inUse(path, `process ${holder}`);
      rmSync(join(path, 'daemon'), { force: true });
      // Exclusive, for another daemon that starts at the same moment.
      writeFileSync(join(path, 'daemon'), processLine(process.pid), { flag: 'wx' });
      return new StateDir(path);
    } catch (failure) {
      if (failure instanceof ColdpgsError) throw failure;
      if (systemErrno(failure) === 'EEXIST') throw inUse(path, 'started just now');
      throw new ColdpgsError(
        'BAD_SETTING',
        'EINVAL',
        `The state folder ${path} cannot be used; name another with --state-dir.`,
        failure,
      );
    }
  }

  file(name: string): string {
    return join(this.path, name);
  }

  release(): void {
    rmSync(this.file('daemon'), { force: true });
  }
}

/** Names the time from one start of the machine to the next: what is said of the kernel's own files holds no longer than that. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

/** What names a process in a file. A process id alone may belong to somebody else one day, so its start time is in it, too. */
export function processLine(pid: number): string {
  return `${pid} ${startOf(pid)}\n`;
}

/** The process that a file names, if it still lives. */
export function readProcess(file: string): number | undefined {
  const [pid = '', start] = readIfThere(file).trim().split(' ');
  return /^\d+$/.test(pid) && start !== undefined && startOf(Number(pid)) === start ? Number(pid) : undefined;
}

function inUse(path: string, holder: string): ColdpgsError {
  return new ColdpgsError(
    'STATE_IN_USE',
    'EBUSY',
    `Another coldpgs (${holder}) keeps its state in ${path}: stop it, or give this one its own with --state-dir.`,
  );
}

/** Not Node's recursive mkdir: that never ends where a file system answers ENOENT although the parent is there (/proc). */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (failure) {
    if (systemErrno(failure) === 'ENOENT' || systemErrno(failure) === 'ESRCH') return '';
    throw failure;
  }
}

/** Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat), or undefined when it is gone. */
function startOf(pid: number): string | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
