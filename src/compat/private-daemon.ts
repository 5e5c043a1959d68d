import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { ColdpgsError } from '../errors.js';

/**
 * Runs in a mount namespace of its own, where alone the daemon's mount is seen. Ends the daemon when its standard input has ended, which it does when the runner dies in
 * whatever way, and the command (its first line) has, too.
 */
const keeper = `
trap '' INT TERM HUP
folder=$1
shift
mkdir "$folder/mnt" "$folder/state"
"$@" mount "$folder/mnt" --state-dir "$folder/state" --log-level error < /dev/null > /dev/null &
daemon=$!
until [ -e "$folder/mnt/coldpgs/version" ]; do
  kill -0 $daemon 2> /dev/null || break
  sleep 0.1
done
kill -0 $daemon 2> /dev/null && echo mounted
exec > /dev/null
read -r command && {
  cat > /dev/null
  while kill -0 "$command" 2> /dev/null; do sleep 1; done
}
kill -TERM $daemon 2> /dev/null
wait $daemon
status=$?
umount -l "$folder/mnt" 2> /dev/null
rmdir "$folder/mnt" && rm -r "$folder"
exit $status
`;

/** A coldpgs for the time of one command. */
export class PrivateDaemon {
  private constructor(
    private readonly keeper: ChildProcess,
    readonly mountPoint: string,
  ) {}

  /** Starts one and resolves when it is mounted. Throws MOUNT_FAILED when it ends instead; it has said why on standard error. */
  static async start(): Promise<PrivateDaemon> {
    mkdirSync('/run/coldpgs-exec', { recursive: true });
    const folder = mkdtempSync('/run/coldpgs-exec/daemon-');
    const coldpgs = [process.execPath, ...process.execArgv, process.argv[1] ?? ''];
    const args = ['--mount', '--propagation', 'slave', '--', 'sh', '-c', keeper, 'coldpgs-keeper', folder, ...coldpgs];
    // A session of its own: what a terminal sends is for the command.
    const child = spawn('unshare', args, { cwd: '/', detached: true, stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    const mounted = await Promise.race([once(createInterface(child.stdout), 'line'), ended.then(() => undefined)]);
    if (mounted !== undefined) return new PrivateDaemon(child, `${folder}/mnt`);
    throw new ColdpgsError(
      'MOUNT_FAILED',
      'EIO',
      'No coldpgs is running, and none could be started (the reason is above).',
    );
  }

  /** The beginning of a command line that sees the mount. */
  get entering(): string[] {
    return ['nsenter', `--mount=/proc/${this.keeper.pid}/ns/mnt`, '--'];
  }

  /** From now on it lives as long as the command and this process. */
  serves(command: ChildProcess): void {
    this.keeper.stdin?.write(`${command.pid}\n`);
  }

  /** Resolves when nothing of it is left. */
  async stop(): Promise<void> {
    const ended = once(this.keeper, 'exit');
    this.keeper.stdin?.end();
    if (this.keeper.exitCode === null) await ended;
  }
}
