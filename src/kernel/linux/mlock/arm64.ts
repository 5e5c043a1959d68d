import type { Machine, ThreadState } from './machine.js';

/** struct user_pt_regs: x0 to x30, sp, pc, pstate. */
const REGISTERS = { x0: 0, x8: 64, x30: 240, sp: 248, pc: 256, pstate: 264, bytes: 272 } as const;

/** Places in struct rt_sigframe: siginfo, then ucontext with its sigcontext and the records behind it. */
const FRAME = { stackFlags: 152, signalMask: 168, registers: 312, records: 592, bytes: 4688 } as const;

/** struct fpsimd_context; NT_PRFPREG has v0 to v31, then fpsr and fpcr. */
const FPSIMD = { magic: 0x46508001, bytes: 528, vectors: 16, vectorBytes: 512 } as const;
const NO_ALTERNATE_STACK = 4;
const AARCH32 = 0x10n;
const SINGLE_STEP = 1n << 21n;
/** BTYPE: the kind of the last indirect branch. Ours is none. */
const BRANCH_TYPE = 3n << 10n;

/** svc #0 */
const SVC = Buffer.from('010000d4', 'hex');
const RESTART_SYSCALL = 128;
/** Calls that are restarted so: nanosleep, clock_nanosleep, futex. */
const restartedCalls = [101, 115, 98];
/** mov w8 or x8, #number: the number is in bits 5 to 20. */
const LOAD_X8 = { mask: 0x7fe0001f, opcode: 0x52800008 } as const;

/** The kernel has set up the restart of a system call before a tracer sees the registers: they are those to go on with. */
export const arm64: Machine = {
  calls: { munlock: 229, mlock2: 284 },
  registerSetBytes: REGISTERS.bytes,
  floatingPointSet: 2,

  /** svc #0; ret. And mov x8, #139; svc #0, which is __kernel_rt_sigreturn of the vdso. */
  findTrampoline(code) {
    const call = aligned(code, '010000d4c0035fd6');
    const restorer = aligned(code, '681180d2010000d4');
    return { ...(call >= 0 && { call }), ...(restorer >= 0 && { restorer }) };
  },

  obstacle({ registers, floatingPoint }) {
    if (registers.length !== REGISTERS.bytes) return 'it runs 32-bit code';
    const pstate = registers.readBigUInt64LE(REGISTERS.pstate);
    if (pstate & AARCH32) return 'it runs 32-bit code';
    if (pstate & SINGLE_STEP) return 'it is single-stepped';
    if (floatingPoint.length < FPSIMD.vectorBytes + 8) return 'its floating point registers cannot be read';
    return undefined;
  },

  stackPointer: (registers) => Number(registers.readBigUInt64LE(REGISTERS.sp)),
  instructionPointer: (registers) => Number(registers.readBigUInt64LE(REGISTERS.pc)),

  unfinishedCall(registers, { before, after }) {
    if (!after.subarray(0, 4).equals(SVC)) return undefined;
    const called = Number(registers.readBigUInt64LE(REGISTERS.x8));
    const number = called === RESTART_SYSCALL ? restartedCall(before) : called;
    return { number, end: this.instructionPointer(registers) + SVC.length };
  },

  givenBack: (registers) => Buffer.from(registers),

  frame(state) {
    const { floatingPoint, signalMask } = state;
    const registers = resumed(state);
    const below = this.stackPointer(registers) - FRAME.bytes;
    const address = below - (below % 16);
    const bytes = Buffer.alloc(FRAME.bytes);
    bytes.writeUInt32LE(NO_ALTERNATE_STACK, FRAME.stackFlags);
    signalMask.copy(bytes, FRAME.signalMask);
    registers.copy(bytes, FRAME.registers, 0, REGISTERS.bytes);
    bytes.writeUInt32LE(FPSIMD.magic, FRAME.records);
    bytes.writeUInt32LE(FPSIMD.bytes, FRAME.records + 4);
    floatingPoint.copy(bytes, FRAME.records + 8, FPSIMD.vectorBytes, FPSIMD.vectorBytes + 8);
    floatingPoint.copy(bytes, FRAME.records + FPSIMD.vectors, 0, FPSIMD.vectorBytes);
    return { address, bytes };
  },

  calling({ registers }, trampoline, frame, { number, args }) {
    const calling = Buffer.from(registers);
    for (const [index, value] of args.entries()) calling.writeBigUInt64LE(BigInt(value), REGISTERS.x0 + 8 * index);
    const values = { x8: number, x30: trampoline.restorer, sp: frame.address, pc: trampoline.call };
    for (const [name, value] of Object.entries(values))
      calling.writeBigUInt64LE(BigInt(value), REGISTERS[name as keyof typeof values]);
    calling.writeBigUInt64LE(registers.readBigUInt64LE(REGISTERS.pstate) & ~BRANCH_TYPE, REGISTERS.pstate);
    return calling;
  },

  result: (registers) => Number(registers.readBigInt64LE(REGISTERS.x0)),
};

/** The offset of instructions, which lie at multiples of 4; -1 when they are not there. */
function aligned(code: Buffer, instructions: string): number {
  const wanted = Buffer.from(instructions, 'hex');
  let at = code.indexOf(wanted);
  while (at >= 0 && at % 4 !== 0) at = code.indexOf(wanted, at + 1);
  return at;
}

/** The number of a restarted wait is not in its registers, but often in one of the instructions before the call. */
function restartedCall(code: Buffer): number | undefined {
  for (let at = code.length - 4; at >= 0; at -= 4) {
    const instruction = code.readUInt32LE(at);
    if ((instruction & LOAD_X8.mask) !== LOAD_X8.opcode) continue;
    const number = (instruction >>> 5) & 0xffff;
    return restartedCalls.includes(number) ? number : undefined;
  }
  return undefined;
}

/** Never by restart_syscall, which answers EINTR after rt_sigreturn. */
function resumed({ registers, repeatedCall }: ThreadState): Buffer {
  const resumed = Buffer.from(registers);
  if (repeatedCall !== undefined) resumed.writeBigUInt64LE(BigInt(repeatedCall), REGISTERS.x8);
  return resumed;
}
