import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processLine, readProcess, type StateDir } from './state-dir.js';

const file = 'supervisor';

/** Notes in the state folder which process supervises this one, for `coldpgs reload`. */
export function noteSupervisor(stateDir: StateDir): void {
  writeFileSync(stateDir.file(file), processLine(process.ppid));
}

/** The living supervisor of the daemon that has this state folder. */
export function supervisorOf(stateFolder: string): number | undefined {
  return readProcess(join(stateFolder, file));
}

/** The living daemon that has this state folder. */
export function daemonOf(stateFolder: string): number | undefined {
  return readProcess(join(stateFolder, 'daemon'));
}
