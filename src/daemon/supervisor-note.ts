import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processLine, readProcess, type StateDir } from './state-dir.js';

const files = { supervisor: 'supervisor', serving: 'serving' } as const;

/** Notes in the state folder which process supervises this one, for `coldpgs reload`. */
export function noteSupervisor(stateDir: StateDir): void {
  writeFileSync(stateDir.file(files.supervisor), processLine(process.ppid));
}

/** Notes that this process answers what is asked of the mount, from now on. */
export function noteServing(stateDir: StateDir): void {
  writeFileSync(stateDir.file(files.serving), processLine(process.pid));
}

/** The living supervisor of the daemon that has this state folder. */
export function supervisorOf(stateFolder: string): number | undefined {
  return readProcess(join(stateFolder, files.supervisor));
}

/** The living daemon that answers for the mount of this state folder; undefined from the end of one until the next has it. */
export function servingOf(stateFolder: string): number | undefined {
  return readProcess(join(stateFolder, files.serving));
}

/** The living daemon that has this state folder. */
export function daemonOf(stateFolder: string): number | undefined {
  return readProcess(join(stateFolder, 'daemon'));
}
