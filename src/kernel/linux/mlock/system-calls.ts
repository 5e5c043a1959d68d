import { addressOf, called, libc } from '../libc.js';

const callPtrace = libc.func('long ptrace(int request, int pid, uintptr_t address, uintptr_t data)');
const callWaitid = libc.func('int waitid(int type, int pid, uintptr_t information, int options)');
/** Microseconds. */
export const usleep = libc.func('int usleep(unsigned int duration)') as (us: number) => number;
const alarm = libc.func('unsigned int alarm(unsigned int seconds)') as (seconds: number) => number;

/** Requests of ptrace(2), by the kernel's names. */
export const PTRACE = {
  CONT: 7,
  DETACH: 17,
  SYSCALL: 24,
  GETREGSET: 0x4204,
  SETREGSET: 0x4205,
  SEIZE: 0x4206,
  INTERRUPT: 0x4207,
  GETSIGMASK: 0x420a,
  SETSIGMASK: 0x420b,
  GET_RSEQ_CONFIGURATION: 0x420f,
  GET_SYSCALL_USER_DISPATCH_CONFIG: 0x4211,
} as const;

/** Marks stops at system calls with bit 7 of the signal. PTRACE_O_EXITKILL is not used: whoever is traced outlives its tracer. */
export const PTRACE_O_TRACESYSGOOD = 1;

const P_PID = 1;
const WSTOPPED = 2;
const WEXITED = 4;
const WNOWAIT = 0x01000000;
const WALL = 0x40000000;
/** Places in the siginfo of a child that has stopped or ended. */
const SIGINFO = { code: 8, status: 24, bytes: 128 } as const;
const CLD_TRAPPED = 4;

/** ptrace(2). `data` is a number, or a buffer whose address is meant. Throws SystemCallError. */
export function ptrace(request: number, pid: number, address: number, data: number | Buffer): number {
  const argument = typeof data === 'number' ? data : addressOf(data);
  return called(`ptrace ${requestName(request)}`, () => callPtrace(request, pid, address, argument) as number);
}

/** The registers of a set (NT_PRSTATUS and so on). Throws SystemCallError; EINVAL where the machine has no such set. */
export function readRegisterSet(pid: number, set: number, into: Buffer): Buffer {
  const vector = ioVector(into);
  ptrace(PTRACE.GETREGSET, pid, set, vector);
  return into.subarray(0, Number(vector.readBigUInt64LE(8)));
}

export function writeRegisterSet(pid: number, set: number, registers: Buffer): void {
  ptrace(PTRACE.SETREGSET, pid, set, ioVector(registers));
}

/**
 * Waits until a tracee stops: the signal, and the event in the bits above 8; undefined when it has ended instead. The stop is only looked at (WNOWAIT): a signal that it is
 * about to take would be lost with a tracer that has taken note of it and dies. A tracee that does neither in time ends this process (SIGALRM): it is let go of in no
 * other way. Throws SystemCallError.
 */
export function waitForStop(pid: number, patienceSeconds: number): number | undefined {
  const information = Buffer.alloc(SIGINFO.bytes);
  const options = WSTOPPED | WEXITED | WALL;
  const wait = (more: number): number => callWaitid(P_PID, pid, addressOf(information), options | more) as number;
  alarm(patienceSeconds);
  called('waitid', () => wait(WNOWAIT));
  alarm(0);
  if (information.readInt32LE(SIGINFO.code) === CLD_TRAPPED) return information.readInt32LE(SIGINFO.status);
  // Its own parent hears of its end after we have.
  wait(0);
  return undefined;
}

function ioVector(buffer: Buffer): Buffer {
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(BigInt(addressOf(buffer)), 0);
  vector.writeBigUInt64LE(BigInt(buffer.length), 8);
  return vector;
}

function requestName(request: number): string {
  return Object.entries(PTRACE).find(([, number]) => number === request)?.[0] ?? String(request);
}
