import type { Machine, ThreadState } from './machine.js';

/** Places in struct user_regs_struct. */
const REGISTER = {
  ...{ r15: 0, r14: 8, r13: 16, r12: 24, bp: 32, bx: 40, r11: 48, r10: 56, r9: 64, r8: 72, ax: 80, cx: 88, dx: 96 },
  ...{ si: 104, di: 112, origAx: 120, ip: 128, cs: 136, flags: 144, sp: 152, ss: 160 },
} as const;

/** Places in struct sigcontext_64 of the same names. */
const CONTEXT = {
  ...{ r8: 0, r9: 8, r10: 16, r11: 24, r12: 32, r13: 40, r14: 48, r15: 56, di: 64, si: 72, bp: 80, bx: 88, dx: 96 },
  ...{ ax: 104, cx: 112, sp: 120, ip: 128, flags: 136 },
} as const;

/** Places in struct rt_sigframe. */
const FRAME = { restorer: 0, flags: 8, stackFlags: 32, context: 48, signalMask: 304, bytes: 440 } as const;
const CONTEXT_CS = 144;
const CONTEXT_SS = 150;
const CONTEXT_FLOATING_POINT = 184;

/** UC_FP_XSTATE, UC_SIGCONTEXT_SS and UC_STRICT_RESTORE_SS. */
const FRAME_FLAGS = 7n;
/** No mode of sigaltstack(2): rt_sigreturn leaves the thread's own as it is. We cannot know it. */
const NO_ALTERNATE_STACK = 4;

/** The extended state, in the form that both ptrace and signal frames have it. The software bytes tell its size and parts. */
const XSTATE = { softwareBytes: 464, header: 512, leastBytes: 576, alignment: 64 } as const;
const XSTATE_MAGIC_1 = 0x46505853;
const XSTATE_MAGIC_2 = 0x46505845;
/** Tile data: a process has it only if it asked for it, and its frames are of another size then. */
const TILE_DATA = 1n << 18n;
const BYTES_WITHOUT_TILE_DATA = 2816;

const RED_ZONE_BYTES = 128;
const USER_CODE_64 = 0x33n;
const TRAP_FLAG = 0x100n;

const EINTR = -4n;
const ERESTARTSYS = -512n;
const ERESTARTNOINTR = -513n;
const ERESTARTNOHAND = -514n;
const ERESTART_RESTARTBLOCK = -516n;
const restarts = [ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK];
const SYSCALL = Buffer.from([0x0f, 0x05]);
/** mov $number, %eax */
const LOAD_EAX = 0xb8;
const LOAD_BYTES = 5;
const RESTART_SYSCALL = 219n;
/** Calls that are restarted so: poll, nanosleep, futex, clock_nanosleep. */
const restartedCalls = [7, 35, 202, 230];

/**
 * Waits that the kernel ends with EINTR when a thread is stopped, although no signal handler runs: epoll_wait, epoll_pwait, epoll_pwait2, semop, semtimedop,
 * rt_sigtimedwait, io_getevents, io_uring_enter, accept, accept4, recvfrom, recvmsg. They have done nothing, so they may begin again.
 */
const endedByStops = [232n, 281n, 441n, 65n, 220n, 128n, 208n, 426n, 43n, 288n, 45n, 47n];

export const x64: Machine = {
  calls: { munlock: 150, mlock2: 325 },
  registerSetBytes: 216,
  floatingPointSet: 0x202,

  findTrampoline(code) {
    const call = code.indexOf(Buffer.from([0x0f, 0x05, 0xc3]));
    const restorers = ['48c7c00f0000000f05', 'b80f0000000f05'].map((bytes) => code.indexOf(Buffer.from(bytes, 'hex')));
    const restorer = restorers.find((offset) => offset >= 0);
    return { ...(call >= 0 && { call }), ...(restorer !== undefined && { restorer }) };
  },

  obstacle({ registers, floatingPoint }) {
    if (registers.length !== this.registerSetBytes || get(registers, 'cs') !== USER_CODE_64)
      return 'it runs 32-bit code';
    if (get(registers, 'flags') & TRAP_FLAG) return 'it is single-stepped';
    if (floatingPoint.length < XSTATE.leastBytes) return 'the processor has no XSAVE';
    if (floatingPoint.readBigUInt64LE(XSTATE.header) & TILE_DATA) return 'it uses AMX tiles';
    return undefined;
  },

  stackPointer: (registers) => Number(get(registers, 'sp')),
  instructionPointer: (registers) => Number(get(registers, 'ip')),

  unfinishedCall(registers, { before, after }) {
    const called = getSigned(registers, 'origAx');
    if (called >= 0n && restarts.includes(getSigned(registers, 'ax'))) {
      const number = called === RESTART_SYSCALL ? restartedCall(beforeCall(before)) : Number(called);
      return { number, end: this.instructionPointer(registers) };
    }
    if (!isAboutToRestart(registers, after)) return undefined;
    // A second stop on the same way back from the call finds its number still there.
    const number = called < 0n || called === RESTART_SYSCALL ? restartedCall(before) : Number(called);
    return { number, end: this.instructionPointer(registers) + SYSCALL.length };
  },

  givenBack(registers) {
    const given = Buffer.from(registers);
    // The kernel then looks for itself: EINTR if a handler runs, else the wait begins again.
    if (getSigned(given, 'ax') === EINTR && endedByStops.includes(get(given, 'origAx')))
      given.writeBigInt64LE(ERESTARTNOHAND, REGISTER.ax);
    return given;
  },

  frame(state, trampoline) {
    const registers = resumed(state);
    const extended = extendedState(state.floatingPoint);
    const below = this.stackPointer(registers) - RED_ZONE_BYTES - extended.length;
    const extendedAt = below - (below % XSTATE.alignment);
    // As after a call: 8 bytes off the alignment of 16.
    const address = extendedAt - 16 * Math.ceil(FRAME.bytes / 16) - 8;
    const bytes = Buffer.alloc(extendedAt - address + extended.length);
    bytes.writeBigUInt64LE(BigInt(trampoline.restorer), FRAME.restorer);
    bytes.writeBigUInt64LE(FRAME_FLAGS, FRAME.flags);
    bytes.writeUInt32LE(NO_ALTERNATE_STACK, FRAME.stackFlags);
    for (const [name, place] of Object.entries(CONTEXT))
      bytes.writeBigUInt64LE(get(registers, name as keyof typeof CONTEXT), FRAME.context + place);
    bytes.writeUInt16LE(Number(get(registers, 'cs')), FRAME.context + CONTEXT_CS);
    bytes.writeUInt16LE(Number(get(registers, 'ss')), FRAME.context + CONTEXT_SS);
    bytes.writeBigUInt64LE(BigInt(extendedAt), FRAME.context + CONTEXT_FLOATING_POINT);
    state.signalMask.copy(bytes, FRAME.signalMask);
    extended.copy(bytes, extendedAt - address);
    return { address, bytes };
  },

  calling({ registers }, trampoline, frame, { number, args }) {
    const calling = Buffer.from(registers);
    const [di = 0, si = 0, dx = 0] = args;
    const values = { ax: number, di, si, dx, ip: trampoline.call, sp: frame.address };
    for (const [name, value] of Object.entries(values))
      calling.writeBigUInt64LE(BigInt(value), REGISTER[name as keyof typeof values]);
    // In no system call: the kernel must not restart one.
    calling.writeBigInt64LE(-1n, REGISTER.origAx);
    return calling;
  },

  result: (registers) => Number(getSigned(registers, 'ax')),
};

function get(registers: Buffer, name: keyof typeof REGISTER): bigint {
  return registers.readBigUInt64LE(REGISTER[name]);
}

function getSigned(registers: Buffer, name: keyof typeof REGISTER): bigint {
  return registers.readBigInt64LE(REGISTER[name]);
}

/** Whether the kernel has set a thread up to make restart_syscall, and it has not done so yet. A call may also have answered that number: no other call follows it at once. */
function isAboutToRestart(registers: Buffer, after: Buffer): boolean {
  return get(registers, 'ax') === RESTART_SYSCALL && after.subarray(0, SYSCALL.length).equals(SYSCALL);
}

function beforeCall(code: Buffer): Buffer {
  return code.subarray(-SYSCALL.length).equals(SYSCALL) ? code.subarray(0, -SYSCALL.length) : Buffer.alloc(0);
}

/** The number of a restarted wait is not in its registers, but often in the code before the call: mov $number, %eax. */
function restartedCall(code: Buffer): number | undefined {
  const load = code.subarray(-LOAD_BYTES);
  if (load.length < LOAD_BYTES || load[0] !== LOAD_EAX) return undefined;
  const number = load.readUInt32LE(1);
  return restartedCalls.includes(number) ? number : undefined;
}

/**
 * Where a thread goes on that was stopped in a system call: it makes the call again. Never by restart_syscall, which answers EINTR after rt_sigreturn. What was left
 * of a relative time limit is known to the kernel alone.
 */
function resumed({ registers, repeatedCall }: ThreadState): Buffer {
  const resumed = Buffer.from(registers);
  if (repeatedCall === undefined) return resumed;
  resumed.writeBigUInt64LE(BigInt(repeatedCall), REGISTER.ax);
  const isBehindCall = restarts.includes(getSigned(registers, 'ax'));
  if (isBehindCall) resumed.writeBigUInt64LE(get(registers, 'ip') - BigInt(SYSCALL.length), REGISTER.ip);
  return resumed;
}

/** The extended state as a signal frame has it, its second magic number behind it. */
function extendedState(floatingPoint: Buffer): Buffer {
  const features = floatingPoint.readBigUInt64LE(XSTATE.softwareBytes);
  const stateBytes = features & TILE_DATA ? BYTES_WITHOUT_TILE_DATA : floatingPoint.length;
  const extended = Buffer.alloc(stateBytes + 4);
  floatingPoint.copy(extended, 0, 0, stateBytes);
  extended.fill(0, XSTATE.softwareBytes, XSTATE.header);
  extended.writeUInt32LE(XSTATE_MAGIC_1, XSTATE.softwareBytes);
  extended.writeUInt32LE(extended.length, XSTATE.softwareBytes + 4);
  extended.writeBigUInt64LE(features & ~TILE_DATA, XSTATE.softwareBytes + 8);
  extended.writeUInt32LE(stateBytes, XSTATE.softwareBytes + 16);
  extended.writeUInt32LE(XSTATE_MAGIC_2, stateBytes);
  return extended;
}
