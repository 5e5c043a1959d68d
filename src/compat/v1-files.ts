import { ColdpgsError, systemErrno } from '../errors.js';
import type { Caller } from '../passed.js';
import type { V1Group } from './v1-group.js';
import { parseLimit, unlimitedBytes, v2LimitText } from './v1-limit.js';
import { v1MemoryStat } from './v1-memory-stat.js';

/** How often memory is reclaimed for a limit before the kernel's refusal is believed, as in v1 (MAX_RECLAIM_RETRIES). */
const RECLAIM_TRIES = 16;

/** A file of v1 made from files of v2. */
export interface V1File {
  readonly name: string;
  readonly mode: number;
  /** The file of v2 that must be there for it, and whose owner it has. Of the root, which has fewer, `memory.stat`. */
  readonly like: string;
  render(group: V1Group): string;
  apply?(group: V1Group, text: string, caller: Caller, signal: AbortSignal): Promise<void>;
}

/** Files of v1 that are one of v2 under another name. v2 moves whole processes only (but in threaded groups): so does a write to tasks. */
export const sameInV2: Readonly<Record<string, { readonly reads: string; readonly writes: string }>> = {
  'cgroup.procs': { reads: 'cgroup.procs', writes: 'cgroup.procs' },
  tasks: { reads: 'cgroup.threads', writes: 'cgroup.procs' },
};

export const v1Files: readonly V1File[] = [
  {
    name: 'memory.stat',
    mode: 0o444,
    like: 'memory.stat',
    render: (group) => {
      const lineage = group.lineage();
      const least = (limits: readonly bigint[]): bigint =>
        limits.reduce((least, limit) => (limit < least ? limit : least), unlimitedBytes(group.pageBytes));
      return v1MemoryStat(group.memory(), group.childrenMemory(), {
        memory: least(lineage.map((one) => one.limit('memory.max'))),
        memsw: least(lineage.map((one) => one.memswLimit())),
      });
    },
  },
  { name: 'memory.usage_in_bytes', mode: 0o444, like: 'memory.current', render: (group) => line(usageOf(group)) },
  {
    name: 'memory.limit_in_bytes',
    mode: 0o644,
    like: 'memory.max',
    render: (group) => line(group.limit('memory.max')),
    apply: setLimit,
  },
  { name: 'memory.max_usage_in_bytes', mode: 0o444, like: 'memory.peak', render: (group) => group.read('memory.peak') },
  {
    name: 'memory.failcnt',
    mode: 0o444,
    like: 'memory.events',
    render: (group) => line(BigInt(/^max (\d+)$/m.exec(group.read('memory.events'))?.[1] ?? 0)),
  },
  {
    name: 'memory.memsw.usage_in_bytes',
    mode: 0o444,
    like: 'memory.swap.current',
    render: (group) => line(group.bytes('memory.current') + group.bytes('memory.swap.current')),
  },
  {
    name: 'memory.memsw.limit_in_bytes',
    mode: 0o644,
    like: 'memory.swap.max',
    render: (group) => line(group.memswLimit()),
    apply: setMemswLimit,
  },
  {
    name: 'memory.use_hierarchy',
    mode: 0o644,
    like: 'memory.stat',
    render: () => '1\n',
    apply: async (_group, text) => {
      if (text.trim() !== '1') throw invalid('cgroup v2 always counts what is below: only 1 can be written.');
    },
  },
  {
    name: 'memory.force_empty',
    mode: 0o200,
    like: 'memory.reclaim',
    render: () => '',
    apply: async (group, _text, caller, signal) => {
      if (group.isRoot) throw invalid('The root cannot be emptied.');
      await reclaim(group, () => group.bytes('memory.current'), caller, signal);
    },
  },
];

/** The root has no memory.current in v2; v1 counts the same there. */
function usageOf(group: V1Group): bigint {
  if (!group.isRoot) return group.bytes('memory.current');
  const stat = group.read('memory.stat');
  const counter = (name: string): bigint => BigInt(new RegExp(`^${name} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0);
  return counter('file') + counter('anon');
}

/** In v1 a limit below the usage fails where memory cannot be reclaimed; in v2 it kills. So memory is reclaimed first. */
async function setLimit(group: V1Group, text: string, caller: Caller, signal: AbortSignal): Promise<void> {
  const bytes = parseLimit(text, group.pageBytes);
  if (group.isRoot) throw invalid('The root has no limit.');
  const swapMax = group.readIfThere('memory.swap.max')?.trim() ?? 'max';
  const memsw = group.memswLimit();
  if (swapMax !== 'max' && bytes > memsw) throw invalid('The limit would be above memory.memsw.limit_in_bytes.');
  await reclaim(group, () => group.bytes('memory.current') - bytes, caller, signal);
  if (group.bytes('memory.current') > bytes)
    throw new ColdpgsError(
      'MEMORY_LIMIT',
      'EBUSY',
      `${group.path} has more in use than ${bytes} bytes, and it cannot be reclaimed.`,
    );
  await group.write('memory.max', v2LimitText(bytes, group.pageBytes), caller, signal);
  if (swapMax !== 'max') await group.write('memory.swap.max', String(memsw - bytes), caller, signal);
}

async function setMemswLimit(group: V1Group, text: string, caller: Caller, signal: AbortSignal): Promise<void> {
  const bytes = parseLimit(text, group.pageBytes);
  const memory = group.limit('memory.max');
  if (bytes < memory)
    throw invalid('The limit on memory and swap cannot be below memory.limit_in_bytes: set that first.');
  const swapMax = bytes >= unlimitedBytes(group.pageBytes) ? 'max' : String(bytes - memory);
  await group.write('memory.swap.max', swapMax, caller, signal);
}

/** Reclaims while there is something over and something goes. */
async function reclaim(group: V1Group, over: () => bigint, caller: Caller, signal: AbortSignal): Promise<void> {
  for (let tries = 0; tries < RECLAIM_TRIES && over() > 0n; tries++)
    try {
      await group.write('memory.reclaim', String(over()), caller, signal);
    } catch (refusal) {
      // It got less than it was asked for.
      if (systemErrno(refusal) !== 'EAGAIN') throw refusal;
    }
}

function line(value: bigint): string {
  return `${value}\n`;
}

function invalid(sentence: string): ColdpgsError {
  return new ColdpgsError('BAD_VALUE', 'EINVAL', sentence);
}
