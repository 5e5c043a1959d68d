import koffi from 'koffi';

const libc = koffi.load(null);
const callPtrace = libc.func('long ptrace(int request, int pid, uintptr_t address, uintptr_t data)');
const callWaitpid = libc.func('int waitpid(int pid, _Out_ int *status, int options)');
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

const WALL = 0x40000000;

/** A system call that the kernel refused, as Node reports its own: with the errno's name in `code`. */
export class SystemCallError extends Error {
  readonly code: string;
  constructor(call: string, errno: number) {
    const code = errnoName(errno);
    super(`${call}: ${code}`);
    this.code = code;
  }
}

/** ptrace(2). `data` is a number, or a buffer whose address is meant. Throws SystemCallError. */
export function ptrace(request: number, pid: number, address: number, data: number | Buffer): number {
  const result = callPtrace(request, pid, address, typeof data === 'number' ? data : addressOf(data)) as number;
  if (result !== -1) return result;
  throw new SystemCallError(`ptrace ${requestName(request)}`, koffi.errno());
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
 * Waits until a tracee stops or ends, and answers its state as waitpid(2) packs it. One that does neither in time ends this process (SIGALRM): a tracee that does not stop
 * is let go of in no other way. Throws SystemCallError.
 */
export function waitForStop(pid: number, patienceSeconds: number): number {
  const status = [0];
  alarm(patienceSeconds);
  const found = callWaitpid(pid, status, WALL) as number;
  alarm(0);
  if (found === -1) throw new SystemCallError('waitpid', koffi.errno());
  return status[0] ?? 0;
}

function ioVector(buffer: Buffer): Buffer {
  const vector = Buffer.alloc(16);
  vector.writeBigUInt64LE(BigInt(addressOf(buffer)), 0);
  vector.writeBigUInt64LE(BigInt(buffer.length), 8);
  return vector;
}

function addressOf(buffer: Buffer): number {
  return Number(koffi.address(buffer));
}

function requestName(request: number): string {
  return Object.entries(PTRACE).find(([, number]) => number === request)?.[0] ?? String(request);
}

function errnoName(errno: number): string {
  return Object.entries(koffi.os.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
}
