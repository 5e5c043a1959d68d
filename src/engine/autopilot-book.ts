import type { Memcg } from '../kernel/kernel.js';
import type { Generation, LruGenNode } from '../kernel/lru-gen.js';
import type { MemcgSettings } from './autopilot-settings.js';
import type { PageType } from './eviction.js';
import type { PeriodStart } from './pressure.js';
import { inSlices } from './slices.js';
import type { SeenMemcg } from './tracker.js';

/** How a period of the autopilot ended for a memcg. docs/files.md explains each to users. */
export const periodEnds = [
  'done',
  'nothing_cold',
  'too_few_agings',
  'period_psi_exceeds_limit',
  'psi_exceeds_limit',
  'in_use',
  'no_swap',
  'disabled',
  'memcg_gone',
  'psi_unreadable',
  'scan_period_off',
  'cancelled',
  'error',
] as const;

export type PeriodEnd = (typeof periodEnds)[number];

/** A memcg on one node, as the autopilot keeps it in its book. */
export interface Watched {
  readonly memcg: Memcg;
  readonly node: number;
  settings: MemcgSettings;
  /** Since when its agings count. */
  watchedSinceMs: number;
  /** undefined: its period has yet to begin. */
  periodStart: PeriodStart | undefined;
  minSeq: bigint;
  maxSeq: bigint;
  /** The youngest generation when it was first seen: those after it were made by agings since. */
  firstMaxSeq: bigint;
  readonly evictedPages: Record<PageType, number>;
  readonly ends: Map<PeriodEnd, number>;
}

/** What the autopilot knows of each memcg and node. */
export class AutopilotBook {
  /** By inode, in the order of the memcg's nodes in its listing. */
  readonly #watched = new Map<bigint, readonly Watched[]>();
  /** All ends so far, those of memcgs that are gone included. */
  readonly ends = new Map<PeriodEnd, number>();

  /** Takes over what is listed now. Answers whether there are new memcgs. */
  async observe(
    seen: readonly SeenMemcg[],
    atMs: number,
    settingsOf: (path: string, node: number) => MemcgSettings,
    isExempt: (path: string) => boolean,
  ): Promise<boolean> {
    let hasNew = false;
    let exempt = 0;
    await inSlices(seen, ({ memcg, listed: { nodes } }) => {
      if (isExempt(memcg.path)) return void exempt++;
      let watched = this.#watched.get(memcg.inode);
      if (!watched || !isOfNodes(watched, nodes)) {
        const before = watched ?? [];
        watched = nodes.map(
          (one) =>
            before.find(({ node }) => node === one.node) ??
            watchedAnew(memcg, one, settingsOf(memcg.path, one.node), atMs),
        );
        hasNew ||= watched.some((one) => !before.includes(one));
        this.#watched.set(memcg.inode, watched);
      }
      watched.forEach((one, index) => noteSeqs(one, nodes[index]?.generations ?? []));
    });
    if (this.#watched.size > seen.length - exempt) {
      const listed = new Set(seen.filter(({ memcg }) => !isExempt(memcg.path)).map(({ memcg }) => memcg.inode));
      for (const inode of this.#watched.keys()) if (!listed.has(inode)) this.#watched.delete(inode);
    }
    return hasNew;
  }

  /** In the order of the kernel's listing. */
  *all(): Generator<Watched, void> {
    for (const nodes of this.#watched.values()) yield* nodes;
  }

  /** Settings have changed: where the period or `disabled` did, a new period begins, so that no change makes a run come sooner. */
  reconsider(atMs: number, settingsOf: (path: string, node: number) => MemcgSettings): void {
    for (const watched of this.all()) {
      const before = watched.settings;
      watched.settings = settingsOf(watched.memcg.path, watched.node);
      const { disabled, period_secs } = watched.settings;
      if (before.disabled && !disabled) watched.watchedSinceMs = atMs;
      if (before.disabled !== disabled || before.period_secs !== period_secs) watched.periodStart = undefined;
    }
  }

  note(watched: readonly Watched[], end: PeriodEnd): void {
    for (const one of watched) one.ends.set(end, (one.ends.get(end) ?? 0) + 1);
    this.ends.set(end, (this.ends.get(end) ?? 0) + 1);
  }
}

function isOfNodes(watched: readonly Watched[], nodes: readonly LruGenNode[]): boolean {
  return watched.length === nodes.length && watched.every(({ node }, index) => nodes[index]?.node === node);
}

function noteSeqs(watched: Watched, generations: readonly Generation[]): void {
  watched.minSeq = generations[0]?.seq ?? 0n;
  watched.maxSeq = generations.at(-1)?.seq ?? 0n;
}

function watchedAnew(memcg: Memcg, { node, generations }: LruGenNode, settings: MemcgSettings, atMs: number): Watched {
  const maxSeq = generations.at(-1)?.seq ?? 0n;
  return {
    memcg,
    node,
    settings,
    watchedSinceMs: atMs,
    periodStart: undefined,
    minSeq: generations[0]?.seq ?? 0n,
    maxSeq,
    firstMaxSeq: maxSeq,
    evictedPages: { anon: 0, file: 0 },
    ends: new Map(),
  };
}
