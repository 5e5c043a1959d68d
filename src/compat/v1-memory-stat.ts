/** What memory.stat of cgroup v1 is made of, on a machine that has v2. */
export interface V2Memory {
  /** The text of memory.stat, which counts descendants. */
  readonly stat: string;
  /** memory.swap.current; undefined where there is none (the root, or no swap accounting). */
  readonly swapBytes: bigint | undefined;
}

/** The names of v1 in its order, with the counters of v2 that mean the same. v2 counts no pgpgin and pgpgout of a memcg: these lines are left out. */
const v2NameOf = {
  cache: 'file',
  rss: 'anon',
  rss_huge: 'anon_thp',
  shmem: 'shmem',
  mapped_file: 'file_mapped',
  dirty: 'file_dirty',
  writeback: 'file_writeback',
  workingset_refault_anon: 'workingset_refault_anon',
  workingset_refault_file: 'workingset_refault_file',
  swap: 'swap',
  swapcached: 'swapcached',
  pgfault: 'pgfault',
  pgmajfault: 'pgmajfault',
  inactive_anon: 'inactive_anon',
  active_anon: 'active_anon',
  inactive_file: 'inactive_file',
  active_file: 'active_file',
  unevictable: 'unevictable',
} as const;

/**
 * memory.stat as cgroup v1 writes it: the group's own counters, the limits, then `total_` with those below. What is the group's own is what its children do not
 * have. Bytes, and events since the group was made; a counter that this kernel does not keep has no line.
 */
export function v1MemoryStat(
  group: V2Memory,
  children: readonly V2Memory[],
  limits: { readonly memory: bigint; readonly memsw: bigint },
): string {
  const total = countersOf(group);
  const below = children.map(countersOf);
  const own: string[] = [];
  const all: string[] = [];
  for (const [name, v2Name] of Object.entries(v2NameOf)) {
    const value = total.get(v2Name);
    if (value === undefined) continue;
    const theirs = below.reduce((sum, counters) => sum + (counters.get(v2Name) ?? 0n), 0n);
    // The files are read one after the other, while memory comes and goes.
    own.push(`${name} ${value > theirs ? value - theirs : 0n}\n`);
    all.push(`total_${name} ${value}\n`);
  }
  const limitLines = [`hierarchical_memory_limit ${limits.memory}\n`, `hierarchical_memsw_limit ${limits.memsw}\n`];
  return [...own, ...limitLines, ...all].join('');
}

function countersOf({ stat, swapBytes }: V2Memory): Map<string, bigint> {
  const counters = new Map<string, bigint>();
  for (const [, name = '', value = ''] of stat.matchAll(/^(\w+) (\d+)$/gm)) counters.set(name, BigInt(value));
  if (swapBytes !== undefined) counters.set('swap', swapBytes);
  return counters;
}
