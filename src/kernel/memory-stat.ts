/** What coldpgs uses of a memcg's memory.stat. Bytes and cumulative page counts as the kernel gives them; fields the kernel lacks are undefined. */
export interface MemoryStat {
  readonly anonBytes: number;
  readonly fileBytes: number;
  readonly shmemBytes: number;
  readonly unevictableBytes: number;
  readonly slabReclaimableBytes: number;
  /** Events, in pages, since the memcg was made. */
  readonly refaultFilePages: number;
  readonly refaultAnonPages: number;
  /** Pages freed by direct and proactive reclaim (kswapd and khugepaged left out); undefined on cgroup v1. */
  readonly stealPages: number | undefined;
  readonly zswapOutPages: number | undefined;
  readonly zswapInPages: number | undefined;
}
