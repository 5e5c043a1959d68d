import { closeSync } from 'node:fs';
import { systemErrno } from '../../errors.js';
import type { AddressRange } from '../pagemap.js';
import { called, libc } from './libc.js';

/** Numbers of system calls, the same on x86-64 and arm64, and of the advice (include/uapi/asm-generic). */
const PIDFD_OPEN = 434;
const PROCESS_MADVISE = 440;
const MADV_PAGEOUT = 21;

/** UIO_MAXIOV. */
const MOST_RANGES = 1024;
/** struct iovec. */
const VECTOR_BYTES = 16;

/** Errors of one range, which say nothing of the others: mlocked, or unmapped meanwhile. */
const OF_THE_RANGE = ['EBADF', 'EFAULT', 'EINVAL', 'ENOMEM'];

const callPidfdOpen = libc.func('long syscall(long number, long pid, unsigned long flags)');
const callAdvise = libc.func(
  'long syscall(long number, long process, void *vector, unsigned long count, long advice, unsigned long flags)',
);

/** Throws SystemCallError where no process can be advised at all: ENOSYS (before Linux 5.10), EPERM (without CAP_SYS_NICE). */
export function adviseNothing(): void {
  const process_ = openProcess(process.pid);
  try {
    advise(process_, Buffer.alloc(VECTOR_BYTES), 0);
  } finally {
    closeSync(process_);
  }
}

/**
 * Has the kernel send out what a process has in ranges of addresses (process_madvise(2) with MADV_PAGEOUT), in a thread of its own; it passes over pages that other
 * processes have mapped as well. Throws SystemCallError: ESRCH where the process is gone.
 */
export async function advisePageOut(pid: number, ranges: readonly AddressRange[]): Promise<void> {
  const descriptor = openProcess(pid);
  try {
    let first = 0;
    while (first < ranges.length) {
      const batch = ranges.slice(first, first + MOST_RANGES);
      const vector = vectorOf(batch);
      const taken = wholeRangesIn(batch, await adviseInThread(descriptor, vector, batch.length));
      if (taken < batch.length) passOver(descriptor, vector.subarray(taken * VECTOR_BYTES, (taken + 1) * VECTOR_BYTES));
      first += Math.min(taken + 1, batch.length);
    }
  } finally {
    closeSync(descriptor);
  }
}

function openProcess(pid: number): number {
  return called('pidfd_open', () => callPidfdOpen(PIDFD_OPEN, pid, 0) as number);
}

function advise(descriptor: number, vector: Buffer, count: number): number {
  return called(
    'process_madvise',
    () => callAdvise(PROCESS_MADVISE, descriptor, vector, count, MADV_PAGEOUT, 0) as number,
  );
}

/** Answers the bytes advised up to the first range that is refused, -1 where that is the very first: the errno stays in the other thread. */
function adviseInThread(descriptor: number, vector: Buffer, count: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const told = (failure: Error | null, answer: number | bigint): void =>
      failure ? reject(failure) : resolve(Number(answer));
    callAdvise.async(PROCESS_MADVISE, descriptor, vector, count, MADV_PAGEOUT, 0, told);
  });
}

/** Asks about a range that was refused once more, to know why. Throws where that is not the range's own fault. */
function passOver(descriptor: number, vector: Buffer): void {
  try {
    advise(descriptor, vector, 1);
  } catch (refusal) {
    if (!OF_THE_RANGE.includes(systemErrno(refusal) ?? '')) throw refusal;
  }
}

function vectorOf(ranges: readonly AddressRange[]): Buffer {
  const words = BigUint64Array.from(ranges.flatMap(({ start, end }) => [BigInt(start), BigInt(end - start)]));
  return Buffer.from(words.buffer);
}

function wholeRangesIn(ranges: readonly AddressRange[], bytes: number): number {
  let left = bytes;
  const cut = ranges.findIndex(({ start, end }) => (left -= end - start) < 0);
  return cut === -1 ? ranges.length : cut;
}
