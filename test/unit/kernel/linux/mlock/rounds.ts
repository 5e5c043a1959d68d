/**
 * A tracer at work: `node rounds.js IDENTITY ADDRESS BYTES ROUNDS` unlocks and locks again so many times, and prints how long each stop of the process was (JSON, ms).
 * `node rounds.js IDENTITY ADDRESS BYTES STEP` dies of SIGKILL right after a step of the first unlocking. Exit status 3: the
 * process has ended.
 */
import { setPriority } from 'node:os';
import type { ProcessIdentity } from '../../../../../src/kernel/mlock.js';
import { callIn } from '../../../../../src/kernel/linux/mlock/lock-changes.js';
import { TargetRefusal } from '../../../../../src/kernel/linux/mlock/refusal.js';
import { Target } from '../../../../../src/kernel/linux/mlock/target.js';
import { Tracee } from '../../../../../src/kernel/linux/mlock/tracee.js';

/** Exit code when the process that was traced has ended. */
const endedTarget = 3;
const steps = ['seize', 'stop', 'begin', 'finish'] as const;
const [identity, address = '', bytes = '', what = ''] = process.argv.slice(2);
// As the lock changer has it.
if (identity !== undefined) setPriority(-20);
try {
  if (identity !== undefined) work(Target.open(JSON.parse(identity) as ProcessIdentity));
} catch (failure) {
  if (!(failure instanceof TargetRefusal) || failure.kind !== 'gone') throw failure;
  process.exitCode = endedTarget;
}

function work(target: Target): void {
  const range = [Number(address), Number(bytes)];
  const unlock = { number: target.machine.calls.munlock, args: range };
  const lock = { number: target.machine.calls.mlock2, args: [...range, 1] };
  const dieAfter = steps.indexOf(what as (typeof steps)[number]);
  if (dieAfter >= 0) return again(() => die(target, unlock, dieAfter));
  process.stdout.write('started\n');
  const stopsMs: number[] = [];
  for (let round = 0; round < Number(what); round++)
    for (const call of [unlock, lock])
      again(() => {
        const { answer, stopMs } = callIn(target, call);
        if (answer !== 0) throw new Error(`the call answered ${answer}`);
        stopsMs.push(stopMs);
      });
  process.stdout.write(`${JSON.stringify(stopsMs)}\n`);
}

function die(target: Target, call: Parameters<Tracee['begin']>[0], after: number): void {
  const tracee = Tracee.seize(target);
  const [stop, begin, finish] = [() => tracee.stop(), () => tracee.begin(call), () => void tracee.finish()];
  try {
    for (const step of [stop, begin, finish].slice(0, after)) step();
  } catch (failure) {
    tracee.release();
    throw failure;
  }
  process.kill(process.pid, 'SIGKILL');
}

/** Until the process is not at something that must not be disturbed. */
function again(attempt: () => void): void {
  for (;;)
    try {
      return attempt();
    } catch (failure) {
      if (!(failure instanceof TargetRefusal) || failure.kind !== 'later') throw failure;
    }
}
