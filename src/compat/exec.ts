import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { ColdpgsError } from '../errors.js';
import { type NamespaceOptions, removeDocumentFolder, startInNamespace } from './namespace.js';
import { PrivateDaemon } from './private-daemon.js';

/** Signals for the command that come to this process. */
const forwarded = ['SIGHUP', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGCONT', 'SIGWINCH'] as const;

/** Those that a terminal sends to the command as well. */
const fromTerminal = ['SIGINT', 'SIGQUIT'] as const;

export type ExecOptions = Omit<NamespaceOptions, 'mountPoint' | 'entering'> & {
  /** Undefined: a coldpgs for the time of the command. */
  readonly mountPoint: string | undefined;
};

/** How a command ended: its exit status, or the signal that ended it. */
export type CommandEnd = { readonly status: number } | { readonly signal: NodeJS.Signals };

/**
 * Runs a command where the files are where the kernel would have them, and resolves when it has ended. Signals that come meanwhile are its. Throws NOT_ROOT, and what
 * `startInNamespace` and `PrivateDaemon.start` throw.
 */
export async function execute({ mountPoint, ...options }: ExecOptions): Promise<CommandEnd> {
  if (process.geteuid?.() !== 0)
    throw new ColdpgsError('NOT_ROOT', 'EPERM', 'coldpgs exec needs root: it mounts. Run it with sudo.');
  const daemon = mountPoint === undefined ? await PrivateDaemon.start() : undefined;
  try {
    const child = await startInNamespace({
      ...options,
      mountPoint: mountPoint ?? daemon?.mountPoint ?? '',
      entering: daemon?.entering ?? [],
    });
    daemon?.serves(child);
    return await endOf(child);
  } finally {
    await daemon?.stop();
    removeDocumentFolder();
  }
}

/** Whether a coldpgs is mounted at a path. */
export function isMounted(mountPoint: string): boolean {
  return existsSync(`${mountPoint}/coldpgs/version`);
}

/** Ends this process as the command ended, so that whoever started it sees no difference. */
export function endLike(end: CommandEnd): void {
  if ('status' in end) {
    process.exitCode = end.status;
    return;
  }
  process.removeAllListeners(end.signal);
  process.kill(process.pid, end.signal);
}

async function endOf(child: ChildProcess): Promise<CommandEnd> {
  if (child.exitCode !== null) return { status: child.exitCode };
  if (child.signalCode !== null) return { signal: child.signalCode };
  for (const signal of forwarded) process.on(signal, () => child.kill(signal));
  for (const signal of fromTerminal) process.on(signal, () => isInForeground() || child.kill(signal));
  const [status, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return signal === null ? { status: status ?? 1 } : { signal };
}

/** Whether this process group has the terminal: what its keys send reaches the command without us. */
function isInForeground(): boolean {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const [, , group, , , terminalGroup] = stat.slice(stat.lastIndexOf(')') + 1).split(' ');
  return group === terminalGroup;
}
