/** What a stopped thread is, whole: what it must be again when it goes on. */
export interface ThreadState {
  readonly registers: Buffer;
  readonly floatingPoint: Buffer;
  /** Signals it blocks, as the kernel's 8 bytes. */
  readonly signalMask: Buffer;
  /** The system call that it was stopped in and makes again; undefined when it makes none again. */
  readonly repeatedCall: number | undefined;
}

/** A system call that a thread was stopped in and makes again, or is about to. */
export interface UnfinishedCall {
  /** Undefined where registers and code do not tell: a wait that the kernel goes on with under the number of restart_syscall. */
  readonly number: number | undefined;
  /** Where its code ends: names it among the calls of a thread. */
  readonly end: number;
}

/** Code around the place where a thread was stopped. Shorter, or empty, where that cannot be read. */
export interface StoppedCode {
  readonly before: Buffer;
  readonly after: Buffer;
}

/** A piece of code that the process has anyway: makes one system call, then has a signal frame restored. */
export interface Trampoline {
  /** Address of a system call instruction that is followed by a return. */
  readonly call: number;
  /** Address of the code that signal handlers return to: rt_sigreturn. */
  readonly restorer: number;
}

export interface SystemCall {
  readonly number: number;
  readonly args: readonly number[];
}

/** Bytes for the stack of a thread, and where they go. */
export interface SignalFrame {
  readonly address: number;
  readonly bytes: Buffer;
}

/**
 * A processor architecture, as far as it takes to have a stopped thread make a system call of ours. The frame is a signal frame as the kernel writes it, by the
 * layout of its public headers: rt_sigreturn of it gives the thread back its registers, its floating point state and its signal mask.
 */
export interface Machine {
  readonly calls: { readonly munlock: number; readonly mlock2: number };
  readonly registerSetBytes: number;
  /** Note type of the floating point registers. */
  readonly floatingPointSet: number;
  /** Offsets in a piece of code. */
  findTrampoline(code: Buffer): Partial<Trampoline>;
  /** Why a thread must not be touched as it stands; undefined when it may. */
  obstacle(state: ThreadState): string | undefined;
  stackPointer(registers: Buffer): number;
  instructionPointer(registers: Buffer): number;
  /** Undefined for a thread that makes no call again. */
  unfinishedCall(registers: Buffer, code: StoppedCode): UnfinishedCall | undefined;
  /** The registers to give back: those it stopped with, but that a wait which our stop ended goes on. */
  givenBack(registers: Buffer): Buffer;
  /** A frame below the thread's stack (and what it may keep below its pointer): it goes on as if it had not been stopped. */
  frame(state: ThreadState, trampoline: Trampoline): SignalFrame;
  /** Registers with which a thread makes the call and then restores the frame. */
  calling(state: ThreadState, trampoline: Trampoline, frame: SignalFrame, call: SystemCall): Buffer;
  /** What the call answered: 0, or a negative errno. */
  result(registers: Buffer): number;
}
