import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

const { SIGCHLD, SIGCONT, SIGURG, SIGWINCH } = constants.signals;

/** Signals that tell a program of something and do not ask it to stop: a shell gets SIGCHLD whenever a job of its ends. */
const tidings = [SIGCHLD, SIGCONT, SIGURG, SIGWINCH].reduce((set, signal) => set | bitOf(signal), 0n);

/**
 * Whether a thread has a signal waiting that asks it to stop what it is doing. The kernel interrupts a request for any signal, and does not say which.
 * True where that cannot be seen: a thread of another pid namespace, or one that has gone.
 */
export function isAskedToStop(threadId: number): boolean {
  let status: string;
  try {
    status = readFileSync(`/proc/${threadId}/status`, 'latin1');
  } catch {
    return true;
  }
  return isStopPending(status);
}

/** The same of the text of /proc/PID/status (SigPnd, ShdPnd and SigBlk: bit N-1 is signal N). */
export function isStopPending(status: string): boolean {
  const pending = (signalSet(status, 'SigPnd') | signalSet(status, 'ShdPnd')) & ~signalSet(status, 'SigBlk');
  return pending === 0n || (pending & ~tidings) !== 0n;
}

function signalSet(status: string, name: string): bigint {
  const [, hex = '0'] = new RegExp(`^${name}:\\s+([0-9a-f]{1,16})$`, 'm').exec(status) ?? [];
  return BigInt(`0x${hex}`);
}

function bitOf(signal: number): bigint {
  return 1n << BigInt(signal - 1);
}
