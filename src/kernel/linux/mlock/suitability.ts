import type { AddressRange } from '../../pagemap.js';
import type { ProcessIdentity } from '../../mlock.js';

const CAP_IPC_LOCK = 1n << 14n;

/** Identity in the text of /proc/PID/stat; undefined when that is no such text. */
export function identityIn(pid: number, stat: string): ProcessIdentity | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [startTicks, stackStart] = [fields[19], fields[25]];
  return startTicks === undefined || stackStart === undefined ? undefined : { pid, startTicks, stackStart };
}

/** Why a process must be left alone, by the texts of its status and limits; undefined when it need not be. */
export function obstacleIn(status: string, limits: string): string | undefined {
  const field = (name: string): string | undefined => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1];
  if (field('TracerPid') !== '0') return 'another program traces it';
  // A kernel without seccomp has no such line.
  if (!['0', undefined].includes(field('Seccomp'))) return 'it has a seccomp filter';
  if (field('x86_Thread_features')?.includes('shstk')) return 'it has a shadow stack';
  const state = field('State')?.[0];
  if (state === 'T' || state === 't') return 'it is stopped';
  if (state === 'Z' || state === 'X') return 'its main thread has ended';
  const lockedBytes = Number.parseInt(field('VmLck') ?? '0') * 1024;
  const [, limit] = /^Max locked memory\s+(\d+|unlimited)\s/m.exec(limits) ?? [];
  const mayLock = BigInt(`0x${field('CapEff') ?? '0'}`) & CAP_IPC_LOCK || limit === 'unlimited';
  return mayLock || Number(limit) >= lockedBytes ? undefined : 'it may not lock so much memory again (RLIMIT_MEMLOCK)';
}

export interface Mapping extends AddressRange {
  readonly isMainStack: boolean;
  /** Code that is there as long as the program runs: its own, the C library's, the kernel's. */
  readonly isLastingCode: boolean;
}

const MAPPING = /^([0-9a-f]{1,12})-([0-9a-f]{1,12}) (\S{4}) \S+ \S+ \d+ *(.*)$/gm;
const LASTING = /\/(libc|ld)[-.][^/]*$/;

/** Mappings in the text of /proc/PID/maps. The first of a file is the program itself. */
export function parseMappings(maps: string): Mapping[] {
  const rows = [...maps.matchAll(MAPPING)].map(([, start = '', end = '', access = '', name = '']) => ({
    start: parseInt(start, 16),
    end: parseInt(end, 16),
    access,
    name,
  }));
  const program = rows.find(({ name }) => name.startsWith('/'))?.name;
  return rows.map(({ start, end, access, name }) => ({
    start,
    end,
    isMainStack: name === '[stack]',
    isLastingCode: access === 'r-xp' && (name === '[vdso]' || name === program || LASTING.test(name)),
  }));
}
