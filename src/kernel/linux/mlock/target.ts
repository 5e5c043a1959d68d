import { closeSync, constants, openSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { systemErrno } from '../../../errors.js';
import type { AddressRange } from '../../pagemap.js';
import { HAS_ENDED, type ProcessIdentity } from '../../mlock.js';
import type { Machine, StoppedCode, Trampoline } from './machine.js';
import { machineOf } from './machines.js';
import { identityIn, obstacleIn, parseMappings, type Mapping } from './suitability.js';
import { TargetRefusal } from './refusal.js';

/** Code is looked through so many bytes at a time. */
const CODE_BYTES = 1024 * 1024;
/** More than the longest piece of a trampoline. */
const OVERLAP_BYTES = 16;
/** As much code before a place as it takes to load a number and make the call, and as much behind it as the call itself. */
const CODE_AROUND = { before: 32, after: 4 } as const;

/** A process that may be asked to make a system call, and what must be known of it for that. Open until `close`. */
export class Target {
  /** The call that it was last found in: the kernel goes on with a wait under another number. */
  #lastCall: { readonly end: number; readonly stack: number; readonly number: number } | undefined;
  #stack: AddressRange = { start: 0, end: 0 };

  private constructor(
    readonly identity: ProcessIdentity,
    readonly machine: Machine,
    readonly trampoline: Trampoline,
    /** /proc/PID/mem: of the program that it runs now, and no other. */
    readonly memory: number,
  ) {}

  /** Throws TargetRefusal. */
  static open(identity: ProcessIdentity): Target {
    const { pid } = identity;
    const machine = machineOf();
    if (machine === undefined) throw new TargetRefusal('never', `coldpgs cannot do this on ${process.arch}`);
    return orGone(() => {
      const memory = openSync(`/proc/${pid}/mem`, constants.O_RDWR);
      try {
        const obstacle = obstacleOf(identity);
        if (obstacle !== undefined) throw new TargetRefusal('never', obstacle);
        const code = parseMappings(text(pid, 'maps')).filter(({ isLastingCode }) => isLastingCode);
        const target = new Target(identity, machine, findTrampoline(machine, memory, code), memory);
        target.look();
        return target;
      } catch (failure) {
        closeSync(memory);
        throw failure;
      }
    });
  }

  close(): void {
    closeSync(this.memory);
  }

  /** The stack of its main thread, when last looked at. */
  get stack(): AddressRange {
    return this.#stack;
  }

  /** Looks how far its stack reaches now: not while the process is stopped, because it may have many mappings. Throws TargetRefusal. */
  look(): void {
    const stack = orGone(() => parseMappings(text(this.identity.pid, 'maps'))).find(({ isMainStack }) => isMainStack);
    if (stack === undefined) throw new TargetRefusal('never', 'its main thread has no stack of the usual kind');
    this.#stack = stack;
  }

  /** Whether it is dead, if perhaps not yet buried by its parent. */
  hasEnded(): boolean {
    return /\) [ZX] [^)]*$/.test(orGone(() => text(this.identity.pid, 'stat')));
  }

  /** All that is mapped at this moment. */
  mapped(): AddressRange[] {
    return orGone(() => parseMappings(text(this.identity.pid, 'maps')));
  }

  /** The system call that the main thread, stopped with these registers, makes again; undefined when it makes none. Throws TargetRefusal where that is known to the kernel alone. */
  repeatedCall(registers: Buffer): number | undefined {
    const last = this.#lastCall;
    this.#lastCall = undefined;
    const call = this.machine.unfinishedCall(registers, this.#codeAt(this.machine.instructionPointer(registers)));
    if (call === undefined) return undefined;
    const { end } = call;
    const stack = this.machine.stackPointer(registers);
    const number = call.number ?? (last?.end === end && last.stack === stack ? last.number : undefined);
    if (number === undefined)
      throw new TargetRefusal('later', 'it is in a wait that only the kernel knows how to go on with');
    this.#lastCall = { end, stack, number };
    return number;
  }

  #codeAt(address: number): StoppedCode {
    const start = Math.max(0, address - CODE_AROUND.before);
    return { before: this.read(start, address - start), after: this.read(address, CODE_AROUND.after) };
  }

  read(address: number, bytes: number): Buffer {
    const buffer = Buffer.alloc(bytes);
    try {
      return buffer.subarray(0, readSync(this.memory, buffer, 0, bytes, address));
    } catch (failure) {
      if (systemErrno(failure) === 'EIO') return buffer.subarray(0, 0);
      throw failure;
    }
  }
}

/** Why a process must be left alone, from what /proc says of it; undefined when it need not be. */
function obstacleOf({ pid, startTicks, stackStart }: ProcessIdentity): string | undefined {
  const found = identityIn(pid, text(pid, 'stat'));
  if (found?.startTicks !== startTicks) throw new TargetRefusal('gone', HAS_ENDED);
  if (found.stackStart !== stackStart) return 'it runs another program now';
  if (readlinkSync(`/proc/${pid}/ns/user`) !== readlinkSync('/proc/self/ns/user'))
    return 'it is in another user namespace';
  return obstacleIn(text(pid, 'status'), text(pid, 'limits'));
}

function findTrampoline(machine: Machine, memory: number, code: readonly Mapping[]): Trampoline {
  let found: Partial<Trampoline> = {};
  const buffer = Buffer.alloc(CODE_BYTES + OVERLAP_BYTES);
  for (const { start, end } of code)
    for (let address = start; address < end; address += CODE_BYTES) {
      const read = readSync(memory, buffer, 0, Math.min(buffer.length, end - address), address);
      const { call, restorer } = machine.findTrampoline(buffer.subarray(0, read));
      found = {
        ...(call !== undefined && { call: address + call }),
        ...(restorer !== undefined && { restorer: address + restorer }),
        ...found,
      };
      if (found.call !== undefined && found.restorer !== undefined)
        return { call: found.call, restorer: found.restorer };
    }
  throw new TargetRefusal('never', 'its code has no place from which a system call returns by itself');
}

function text(pid: number, name: string): string {
  return readFileSync(`/proc/${pid}/${name}`, 'latin1');
}

function orGone<T>(look: () => T): T {
  try {
    return look();
  } catch (failure) {
    if (['ENOENT', 'ESRCH'].includes(systemErrno(failure) ?? '')) throw new TargetRefusal('gone', HAS_ENDED, failure);
    if (['EPERM', 'EACCES', 'EIO'].includes(systemErrno(failure) ?? ''))
      throw new TargetRefusal('never', 'its memory may not be looked at', failure);
    throw failure;
  }
}
