import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { ColdpgsError } from '../errors.js';
import { type NamespaceOptions, removeDocumentFolder, startInNamespace } from './namespace.js';
import { PrivateDaemon } from './private-daemon.js';
import { SignalRelay } from './signal-relay.js';

export type ExecOptions = Omit<NamespaceOptions, 'mountPoint' | 'entering' | 'onProcess'> & {
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
  const signals = new SignalRelay();
  let daemon: PrivateDaemon | undefined;
  try {
    if (mountPoint === undefined) daemon = await PrivateDaemon.start();
    const child = await startInNamespace({
      ...options,
      mountPoint: mountPoint ?? daemon?.mountPoint ?? '',
      entering: daemon?.entering ?? [],
      onProcess: (process) => daemon?.serves(process),
    });
    signals.to(child);
    return await endOf(child);
  } finally {
    await daemon?.stop();
    removeDocumentFolder();
    signals.end();
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
  const [status, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return signal === null ? { status: status ?? 1 } : { signal };
}
