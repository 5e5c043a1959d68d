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

const OWN_ERRORS = [...OF_THE_RANGE, 'EPERM', 'ESRCH', 'ENOSYS'];

const callPidfdOpen = libc.func('long syscall(long number, long pid, unsigned long flags)');
const callAdvise = libc.func(
  'long syscall(long number, long process, void *vector, unsigned long count, long advice, unsigned long flags)',
);

/** Throws SystemCallError where the kernel knows no such call: ENOSYS (before Linux 5.10). */
export function adviseNothing(): void {
  const descriptor = openProcess(process.pid);
  try {
    advise(descriptor, Buffer.alloc(VECTOR_BYTES), 0);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Has the kernel send out what a process has in ranges of addresses (process_madvise(2) with MADV_PAGEOUT), in a thread of its own; it passes over pages that other
 * processes have mapped as well. Throws SystemCallError: ESRCH where the process is gone, EPERM without CAP_SYS_NICE.
 */
export async function advisePageOut(pid: number, ranges: readonly AddressRange[]): Promise<void> {
  const descriptor = openProcess(pid);
  try {
    const vector = vectorOf(ranges);
    let first = 0;
    while (first < ranges.length) {
      const count = Math.min(MOST_RANGES, ranges.length - first);
      const part = vector.subarray(first * VECTOR_BYTES, (first + count) * VECTOR_BYTES);
      const advisedBytes = await adviseInThread(descriptor, part, count);
      const taken = wholeRangesIn(ranges.slice(first, first + count), advisedBytes);
      if (taken < count) passOver(descriptor, ranges[first + taken]);
      first += Math.min(taken + 1, count);
    }
  } finally {
    closeSync(descriptor);
  }
}

function openProcess(pid: number): number {
  return called('pidfd_open', () => callPidfdOpen(PIDFD_OPEN, pid, 0) as number);
}

function advise(descriptor: number, vector: Buffer, count: number): number {
  const call = (): number => callAdvise(PROCESS_MADVISE, descriptor, vector, count, MADV_PAGEOUT, 0) as number;
  return called('process_madvise', call, OWN_ERRORS);
}

/** Answers the bytes advised up to the first range that is refused, -1 where that is the very first: the errno stays in the other thread. */
function adviseInThread(descriptor: number, vector: Buffer, count: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const told = (failure: Error | null, answer: number | bigint): void =>
      failure ? reject(failure) : resolve(Number(answer));
    callAdvise.async(PROCESS_MADVISE, descriptor, vector, count, MADV_PAGEOUT, 0, told);
  });
}

/** Asks once more about the first page of a range that was refused, to know why. Throws where that is not the range's own fault. */
function passOver(descriptor: number, range: AddressRange | undefined): void {
  if (!range) return;
  try {
    advise(descriptor, vectorOf([{ start: range.start, end: range.start + 1 }]), 1);
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
