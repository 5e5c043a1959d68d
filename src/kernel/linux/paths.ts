/** Every file of the kernel that coldpgs opens, by its name in the code. Paths are kernel names: one character a byte (latin1). */

/** Where the kernel's file systems are mounted; elsewhere only in tests. */
export interface KernelRoots {
  readonly procRoot: string;
  readonly sysRoot: string;
  readonly debugfsRoot: string;
}

export type KernelPaths = ReturnType<typeof kernelPaths>;

/** The machine's own files. */
export function kernelPaths({ procRoot, sysRoot, debugfsRoot }: KernelRoots) {
  return {
    mountinfo: `${procRoot}/self/mountinfo`,
    ownCgroup: `${procRoot}/self/cgroup`,
    openFiles: `${procRoot}/self/fd`,
    openFileInfo: `${procRoot}/self/fdinfo`,
    auxiliaryVector: `${procRoot}/self/auxv`,
    release: `${procRoot}/sys/kernel/osrelease`,
    swappiness: `${procRoot}/sys/vm/swappiness`,
    swaps: `${procRoot}/swaps`,
    meminfo: `${procRoot}/meminfo`,
    memoryPressure: `${procRoot}/pressure/memory`,
    ioPressure: `${procRoot}/pressure/io`,
    pageTypes: `${procRoot}/pagetypeinfo`,
    freeBlocks: `${procRoot}/buddyinfo`,
    refreshCounters: `${procRoot}/sys/vm/stat_refresh`,
    compactMemory: `${procRoot}/sys/vm/compact_memory`,
    compactNode: (node: number) => `${sysRoot}/devices/system/node/node${node}/compact`,
    lruGenEnabled: `${sysRoot}/kernel/mm/lru_gen/enabled`,
    zswapEnabled: `${sysRoot}/module/zswap/parameters/enabled`,
    nodesWithMemory: `${sysRoot}/devices/system/node/has_memory`,
    lruGen: `${debugfsRoot}/lru_gen`,
    shrinkers: `${debugfsRoot}/shrinker`,
    dropCaches: `${procRoot}/sys/vm/drop_caches`,
    kpageflags: `${procRoot}/kpageflags`,
    kpagecgroup: `${procRoot}/kpagecgroup`,
    iomem: `${procRoot}/iomem`,
    idlePages: `${sysRoot}/kernel/mm/page_idle/bitmap`,
    damonAdmin: `${sysRoot}/kernel/mm/damon/admin`,
    damonStatEnabled: `${sysRoot}/module/damon_stat/parameters/enabled`,
    process: (pid: number, name: 'stat' | 'status') => `${procRoot}/${pid}/${name}`,
    smaps: (pid: number) => `${procRoot}/${pid}/smaps`,
    pagemap: (pid: number) => `${procRoot}/${pid}/pagemap`,
    memory: (pid: number) => `${procRoot}/${pid}/mem`,
  } as const;
}

/** Files in the directory of a cgroup. */
export const cgroupFile = {
  controllers: 'cgroup.controllers',
  subtreeControl: 'cgroup.subtree_control',
  processes: 'cgroup.procs',
  stat: 'memory.stat',
} as const;

/** Files of cgroup v2 only; the root has none of the limits. */
export const cgroupFileV2 = {
  max: 'memory.max',
  high: 'memory.high',
  current: 'memory.current',
  swapMax: 'memory.swap.max',
  swapCurrent: 'memory.swap.current',
  reclaim: 'memory.reclaim',
  cpuStat: 'cpu.stat',
  memoryPressure: 'memory.pressure',
  ioPressure: 'io.pressure',
} as const;

/** Files of cgroup v1 only. `memsw` counts memory and swap together. */
export const cgroupFileV1 = {
  limit: 'memory.limit_in_bytes',
  usage: 'memory.usage_in_bytes',
  memswLimit: 'memory.memsw.limit_in_bytes',
  memswUsage: 'memory.memsw.usage_in_bytes',
  swappiness: 'memory.swappiness',
} as const;
