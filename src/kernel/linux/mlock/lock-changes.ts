import { systemErrno } from '../../../errors.js';
import { HAS_ENDED, type LockChange, type LockChangeOutcome } from '../../mlock.js';
import { common, pieces } from './pieces.js';
import type { SystemCall } from './machine.js';
import { TargetRefusal } from './refusal.js';
import { usleep } from './system-calls.js';
import { Target } from './target.js';
import { Tracee } from './tracee.js';

const MLOCK_ONFAULT = 1;
/** How long a process may be found busy with what must not be disturbed, and the longest pause between two looks. */
const PATIENCE_MS = 3_000;
const LONGEST_PAUSE_US = 20_000;

/** Unlocks or locks memory of a process, piece by piece, each in a stop of its own; what cannot be done is in the outcome. */
export function changeLocks({ identity, to, ranges }: LockChange): LockChangeOutcome {
  const outcome = { changedBytes: 0, stopsMs: [] as number[], refusal: undefined as string | undefined };
  try {
    const target = Target.open(identity);
    try {
      const { munlock, mlock2 } = target.machine.calls;
      // What was unmapped meanwhile has no lock to get back.
      const there = to === 'unlocked' ? ranges : common(ranges, target.mapped());
      for (const { start, end } of there.flatMap(pieces)) {
        const args = [start, end - start];
        const call = to === 'unlocked' ? { number: munlock, args } : { number: mlock2, args: [...args, MLOCK_ONFAULT] };
        const { answer, stopMs } = patiently(target, call);
        outcome.stopsMs.push(stopMs);
        if (answer === 0) outcome.changedBytes += end - start;
      }
    } finally {
      target.close();
    }
  } catch (failure) {
    if (!(failure instanceof TargetRefusal)) throw failure;
    outcome.refusal = failure.message;
  }
  return outcome;
}

/** Has the main thread of a process make one system call. Throws TargetRefusal. */
export function callIn(target: Target, call: SystemCall): { readonly answer: number; readonly stopMs: number } {
  try {
    const tracee = Tracee.seize(target);
    let answer: number;
    try {
      tracee.stop();
      tracee.begin(call);
      answer = tracee.finish();
    } catch (failure) {
      if (failure instanceof TargetRefusal && ['later', 'never'].includes(failure.kind)) tracee.release();
      throw failure;
    }
    return { answer, stopMs: tracee.release() };
  } catch (failure) {
    if (systemErrno(failure) === 'ESRCH') throw new TargetRefusal('gone', HAS_ENDED, failure);
    throw failure;
  }
}

/** Tries again while the process is at something that must not be disturbed. */
function patiently(target: Target, call: SystemCall): { readonly answer: number; readonly stopMs: number } {
  const startMs = performance.now();
  for (let tries = 1; ; tries++)
    try {
      return callIn(target, call);
    } catch (failure) {
      if (!(failure instanceof TargetRefusal) || failure.kind !== 'later') throw failure;
      if (performance.now() - startMs > PATIENCE_MS) throw failure;
      usleep(Math.min(LONGEST_PAUSE_US, 500 * tries));
      target.look();
    }
}
