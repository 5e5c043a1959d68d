import { setTimeout as sleep } from 'node:timers/promises';
import { ColdpgsError } from '../errors.js';
import { daemonOf, servingOf, supervisorOf } from './supervisor-note.js';

/** Milliseconds for the old daemon to end its writes and for the new one to start. */
const PATIENCE_MS = 30_000;

/**
 * Has the daemon with this state folder replaced by one with the code that is on disk now; the mount stays. Resolves with the new process id when that
 * one answers. What `check` throws, given the old process id, goes to the caller, and nothing is replaced. Throws NO_SUPERVISOR when no supervised daemon runs, RELOAD_FAILED when none
 * takes over in time.
 */
export async function reloadDaemon(stateFolder: string, check: (pid: number) => void): Promise<number> {
  const supervisor = supervisorOf(stateFolder);
  const daemon = daemonOf(stateFolder);
  const before = servingOf(stateFolder);
  if (supervisor === undefined)
    throw new ColdpgsError(
      'NO_SUPERVISOR',
      'ENODEV',
      `No coldpgs with a supervisor keeps its state in ${stateFolder}: name the folder of the running one with --state-dir.`,
    );
  if (daemon !== undefined) check(daemon);
  process.kill(supervisor, 'SIGUSR2');
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end; await sleep(50)) {
    const now = servingOf(stateFolder);
    if (now !== undefined && now !== before) return now;
  }
  throw new ColdpgsError('RELOAD_FAILED', 'EBUSY', 'No new daemon took over in time; the log of coldpgs says why.');
}
