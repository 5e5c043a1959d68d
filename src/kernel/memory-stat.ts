/** What coldpgs uses of a memcg's memory.stat. Bytes and cumulative page counts as the kernel gives them; fields the kernel lacks are undefined. */
export interface MemoryStat {
  readonly anonBytes: number;
  /** Page cache, shmem included. */
  readonly fileBytes: number;
  readonly shmemBytes: number;
  /** Anonymous pages that have a copy in swap and are in memory all the same. */
  readonly swapCachedBytes: number;
  /** Pages being written, to files and to swap. */
  readonly writebackBytes: number;
  /** Page cache that is changed and not being written yet. */
  readonly fileDirtyBytes: number;
  /** Anonymous and shared memory in generations, by what the kernel calls inactive and active. */
  readonly inactiveAnonBytes: number;
  readonly activeAnonBytes: number;
  readonly unevictableBytes: number;
  /** 0 on cgroup v1, which does not say. */
  readonly slabReclaimableBytes: number;
  /** Events, in pages, since the memcg was made. */
  readonly refaultFilePages: number;
  readonly refaultAnonPages: number;
  /** Pages freed by direct and proactive reclaim (kswapd and khugepaged left out); undefined on cgroup v1. */
  readonly stealPages: number | undefined;
  readonly zswapOutPages: number | undefined;
  readonly zswapInPages: number | undefined;
  /** From zswap to a swap device (6.8+). */
  readonly zswapWrittenBackPages: number | undefined;
  /** Whether the descendants are counted in. */
  readonly includesDescendants: boolean;
}

/** Parses memory.stat of cgroup v2 (kernel 6.1 and later). Before 6.15 proactive reclaim counts as direct. Absent sizes are 0; never throws. */
export function parseMemoryStatV2(text: string): MemoryStat {
  const counters = new Counters(text);
  return {
    anonBytes: counters.get('anon') ?? 0,
    fileBytes: counters.get('file') ?? 0,
    shmemBytes: counters.get('shmem') ?? 0,
    fileDirtyBytes: counters.get('file_dirty') ?? 0,
    writebackBytes: counters.get('file_writeback') ?? 0,
    swapCachedBytes: counters.get('swapcached') ?? 0,
    inactiveAnonBytes: counters.get('inactive_anon') ?? 0,
    activeAnonBytes: counters.get('active_anon') ?? 0,
    unevictableBytes: counters.get('unevictable') ?? 0,
    slabReclaimableBytes: counters.get('slab_reclaimable') ?? 0,
    refaultAnonPages: counters.get('workingset_refault_anon') ?? 0,
    refaultFilePages: counters.get('workingset_refault_file') ?? 0,
    stealPages: stealPages(counters),
    zswapInPages: counters.get('zswpin'),
    zswapOutPages: counters.get('zswpout'),
    zswapWrittenBackPages: counters.get('zswpwb'),
    includesDescendants: true,
  };
}

function stealPages(counters: Counters): number | undefined {
  const direct = counters.get('pgsteal_direct');
  return direct === undefined ? undefined : direct + (counters.get('pgsteal_proactive') ?? 0);
}

/** Parses memory.stat of cgroup v1: the memcg's own values, or the `total_` ones with its descendants. Absent sizes are 0; never throws. */
export function parseMemoryStatV1(text: string, scope: 'own' | 'tree' = 'own'): MemoryStat {
  const all = new Counters(text);
  const prefix = scope === 'tree' ? 'total_' : '';
  const counters = { get: (name: string) => all.get(prefix + name) };
  return {
    anonBytes: counters.get('rss') ?? 0,
    fileBytes: counters.get('cache') ?? 0,
    shmemBytes: counters.get('shmem') ?? 0,
    swapCachedBytes: counters.get('swapcached') ?? 0,
    writebackBytes: counters.get('writeback') ?? 0,
    fileDirtyBytes: counters.get('dirty') ?? 0,
    inactiveAnonBytes: counters.get('inactive_anon') ?? 0,
    activeAnonBytes: counters.get('active_anon') ?? 0,
    unevictableBytes: counters.get('unevictable') ?? 0,
    slabReclaimableBytes: 0,
    refaultFilePages: counters.get('workingset_refault_file') ?? 0,
    refaultAnonPages: counters.get('workingset_refault_anon') ?? 0,
    stealPages: undefined,
    zswapOutPages: undefined,
    zswapInPages: undefined,
    zswapWrittenBackPages: undefined,
    includesDescendants: scope === 'tree',
  };
}

/** Swap charged to a memcg and its descendants, in bytes, from memory.stat of cgroup v1; 0 where swap is not accounted. */
export function parseTotalSwapV1(text: string): number {
  return new Counters(text).get('total_swap') ?? 0;
}

/** `name value` lines; one in another form, or cut off before its newline, is as none. Of seventy only some are asked for: they are looked for one by one. */
class Counters {
  readonly #text: string;
  /** Where the last one was: the next one is mostly behind it. */
  #at = 0;

  constructor(text: string) {
    this.#text = `\n${text}`;
  }

  get(name: string): number | undefined {
    const key = `\n${name} `;
    let found = this.#text.indexOf(key, this.#at);
    if (found === -1) found = this.#text.indexOf(key);
    if (found === -1) return undefined;
    this.#at = found;
    const start = found + key.length;
    const end = this.#text.indexOf('\n', start);
    const value = this.#text.slice(start, Math.max(start, end));
    return /^\d{1,20}$/.test(value) ? Number(value) : undefined;
  }
}
