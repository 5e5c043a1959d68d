import { writeSync } from 'node:fs';
import { systemErrno } from '../../../errors.js';
import { HAS_ENDED } from '../../mlock.js';
import type { SignalFrame, SystemCall, ThreadState } from './machine.js';
import { TargetRefusal } from './refusal.js';
import {
  ptrace,
  PTRACE,
  PTRACE_O_TRACESYSGOOD,
  readRegisterSet,
  waitForStop,
  writeRegisterSet,
} from './system-calls.js';
import type { Target } from './target.js';

const NT_PRSTATUS = 1;
const MOST_FLOATING_POINT_BYTES = 16 * 1024;
const SIGTRAP = 5;
const SYSTEM_CALL_STOP = SIGTRAP | 0x80;
const PTRACE_EVENT_STOP = 128;
const ALL_SIGNALS = Buffer.alloc(8, 0xff);
/** Room that must be left on the stack below the frame: for handlers of signals. */
const ROOM_BYTES = 16 * 1024;
const MOST_SIGNALS = 20;
/** Seconds that a thread may take to stop (one in an uninterruptible wait does not), or to make its call. */
const STOP_PATIENCE_S = 1;
const CALL_PATIENCE_S = 10;

/** Why a tracee stopped: a signal number, and whether it is at a system call, at a stop of our own making, or about to take the signal. */
interface Stop {
  readonly signal: number;
  readonly at: 'call' | 'stop' | 'signal';
}

/**
 * The main thread of a process, traced. Whatever becomes of the tracer at any moment, the thread goes on as if it had not been stopped: until `begin` its registers
 * are its own; `begin` first writes a signal frame below its stack, then sets all registers at once, and with those the thread by itself makes the call and has the
 * frame restored. So the order of the steps in `begin` and `giveBack` is what makes it safe: the mask is ours only while the registers are.
 */
export class Tracee {
  #state: ThreadState | undefined;
  #frame: SignalFrame | undefined;
  #pendingSignal = 0;
  #seizedMs = performance.now();

  private constructor(private readonly target: Target) {}

  /** Throws TargetRefusal. */
  static seize(target: Target): Tracee {
    const tracee = new Tracee(target);
    try {
      ptrace(PTRACE.SEIZE, target.identity.pid, 0, PTRACE_O_TRACESYSGOOD);
    } catch (failure) {
      if (systemErrno(failure) !== 'EPERM') throw failure;
      if (target.hasEnded()) throw new TargetRefusal('gone', HAS_ENDED, failure);
      throw new TargetRefusal('never', 'another program traces it, or tracing it is forbidden', failure);
    }
    return tracee;
  }

  get #pid(): number {
    return this.target.identity.pid;
  }

  /** Stops the thread. Throws TargetRefusal where it may not be touched as it stands. */
  stop(): void {
    this.#seizedMs = performance.now();
    this.#request(PTRACE.INTERRUPT);
    let stop = this.#nextStop(STOP_PATIENCE_S);
    // It was just about to take a signal: it takes it, and stops after that.
    for (let signals = 0; stop.at === 'signal' && signals < MOST_SIGNALS; signals++) {
      this.#request(PTRACE.INTERRUPT);
      this.#request(PTRACE.CONT, 0, stop.signal);
      stop = this.#nextStop(STOP_PATIENCE_S);
    }
    this.#expect(stop, 'stop');
    const { machine } = this.target;
    const found = readRegisterSet(this.#pid, NT_PRSTATUS, Buffer.alloc(2 * machine.registerSetBytes));
    const registers = machine.givenBack(found);
    // At once: until then a wait that our stop has ended would end for the thread, too, if the tracer died.
    if (!registers.equals(found)) writeRegisterSet(this.#pid, NT_PRSTATUS, registers);
    const state = {
      registers,
      floatingPoint: readRegisterSet(this.#pid, machine.floatingPointSet, Buffer.alloc(MOST_FLOATING_POINT_BYTES)),
      signalMask: Buffer.alloc(8),
      repeatedCall: this.target.repeatedCall(registers),
    };
    this.#request(PTRACE.GETSIGMASK, 8, state.signalMask);
    const obstacle = machine.obstacle(state) ?? this.#dispatchObstacle();
    if (obstacle !== undefined) throw new TargetRefusal('never', obstacle);
    this.#refuseInCriticalSection(machine.instructionPointer(state.registers));
    this.#state = state;
  }

  /** Sets the thread up to make a call, and to be itself again after it. */
  begin(call: SystemCall): void {
    const { machine, trampoline, memory, stack } = this.target;
    const state = this.#stopped();
    const frame = machine.frame(state, trampoline);
    if (frame.address - ROOM_BYTES < stack.start || machine.stackPointer(state.registers) >= stack.end)
      throw new TargetRefusal('later', 'its main thread runs on a stack of another kind, or has no room on it');
    writeSync(memory, frame.bytes, 0, frame.bytes.length, frame.address);
    writeRegisterSet(this.#pid, NT_PRSTATUS, machine.calling(state, trampoline, frame, call));
    this.#frame = frame;
    this.#request(PTRACE.SETSIGMASK, 8, ALL_SIGNALS);
  }

  /** Lets the thread make the call and stops it again. Answers what the call answered: 0, or a negative errno. */
  finish(): number {
    this.#request(PTRACE.SYSCALL);
    this.#expect(this.#nextStop(CALL_PATIENCE_S), 'call');
    this.#request(PTRACE.SYSCALL);
    this.#expect(this.#nextStop(CALL_PATIENCE_S), 'call');
    // A stop of the kind that the first was: only there the kernel restarts system calls, and knows of signals that came meanwhile.
    this.#request(PTRACE.INTERRUPT);
    this.#request(PTRACE.CONT);
    const stop = this.#nextStop(CALL_PATIENCE_S);
    if (stop.at === 'signal') this.#pendingSignal = stop.signal;
    const { machine } = this.target;
    return machine.result(readRegisterSet(this.#pid, NT_PRSTATUS, Buffer.alloc(machine.registerSetBytes)));
  }

  /** Gives the thread back what it was and lets it go. Answers the milliseconds it was held up. */
  release(): number {
    if (this.#frame) this.#giveBack(this.#stopped());
    this.#request(PTRACE.DETACH, 0, this.#pendingSignal);
    return performance.now() - this.#seizedMs;
  }

  #giveBack({ signalMask, registers }: ThreadState): void {
    this.#request(PTRACE.SETSIGMASK, 8, signalMask);
    writeRegisterSet(this.#pid, NT_PRSTATUS, registers);
  }

  #stopped(): ThreadState {
    if (!this.#state) throw new Error('the thread is not stopped');
    return this.#state;
  }

  /** Throws TargetRefusal when the thread stopped for something else: a signal, which it gets when it is released. */
  #expect(stop: Stop, at: Stop['at']): void {
    if (stop.at === at && (at !== 'stop' || stop.signal === SIGTRAP)) return;
    if (stop.at === 'signal') this.#pendingSignal = stop.signal;
    throw new TargetRefusal('later', stop.at === 'signal' ? 'a signal came' : 'it is stopped');
  }

  #nextStop(patienceSeconds: number): Stop {
    const status = waitForStop(this.#pid, patienceSeconds);
    if (status === undefined) throw new TargetRefusal('gone', HAS_ENDED);
    const signal = status & 0xff;
    if (signal === SYSTEM_CALL_STOP) return { signal, at: 'call' };
    return { signal, at: status >> 8 === PTRACE_EVENT_STOP ? 'stop' : 'signal' };
  }

  /** A thread in a restartable sequence (rseq(2)) would not be restarted if it were moved to another processor while it makes our call. */
  #refuseInCriticalSection(instructionPointer: number): void {
    const configuration = this.#optional(PTRACE.GET_RSEQ_CONFIGURATION, 24);
    const area = Number(configuration?.readBigUInt64LE(0) ?? 0n);
    if (area === 0) return;
    const section = Number(this.target.read(area + 8, 8).readBigUInt64LE(0));
    if (section === 0) return;
    const descriptor = this.target.read(section, 32);
    const offset = instructionPointer - Number(descriptor.readBigUInt64LE(8));
    if (offset >= 0 && offset < Number(descriptor.readBigUInt64LE(16)))
      throw new TargetRefusal('later', 'it is in a restartable sequence');
  }

  #dispatchObstacle(): string | undefined {
    const mode = this.#optional(PTRACE.GET_SYSCALL_USER_DISPATCH_CONFIG, 32)?.readBigUInt64LE(0) ?? 0n;
    return mode === 0n ? undefined : 'it handles system calls itself (syscall user dispatch)';
  }

  /** What a request fills a structure with; undefined on kernels that do not know it. */
  #optional(request: number, bytes: number): Buffer | undefined {
    const structure = Buffer.alloc(bytes);
    try {
      ptrace(request, this.#pid, bytes, structure);
      return structure;
    } catch (failure) {
      if (['EIO', 'EINVAL'].includes(systemErrno(failure) ?? '')) return undefined;
      throw failure;
    }
  }

  #request(request: number, address = 0, data: number | Buffer = 0): void {
    ptrace(request, this.#pid, address, data);
  }
}
