import type { Memcg } from '../kernel/kernel.js';
import { addHistogram, type Buckets, defaultBuckets, type Histogram, idleRows, withoutOldest } from './histogram.js';
import { isBelow, parentOf } from '../kernel/lineage.js';

/** What memory.idle_page_stats of one memcg shows. */
export interface IdleStats {
  readonly buckets: Buckets;
  /** Rounds completed since the last reset that scanned pages, and slab. */
  readonly pageScans: number;
  readonly slabScans: number;
  readonly histogram: Histogram;
}

/** What is shown of a memcg, and how it came to be. */
export interface Account {
  readonly memcg: Memcg;
  readonly parent: Account | undefined;
  buckets: Buckets;
  /** The first round that counts: the one in progress at a reset is discarded. */
  countsFrom: number;
  pageScans: number;
  slabScans: number;
  histogram: Histogram | undefined;
}

/** A memcg and buckets of its own. */
export interface MemcgBuckets {
  readonly memcg: Memcg;
  readonly buckets: Buckets;
}

/** What a round found of a memcg. */
export interface RoundResult {
  readonly account: Account;
  readonly histogram: Histogram | undefined;
  /** The buckets that the histogram was made for. */
  readonly buckets: Buckets;
}

/**
 * The accounts behind memory.idle_page_stats, by identity. A round begins where the one before ended, and ends with a look: what it found replaces what was
 * shown, for all memcgs at once. A reset (buckets or period written) shows zeros until a whole round after it has ended.
 */
export class IdleStatsAccounts {
  readonly #accounts = new Map<bigint, Account>();
  /** Rounds that ended. */
  #rounds = 0;

  constructor(private readonly memcgAt: (path: string) => Memcg | undefined) {}

  bucketsOf(memcg: Memcg): Buckets {
    return this.#of(memcg).buckets;
  }

  /** Resets the memcg, also when the buckets are what they were. None: accounting is off. */
  setBuckets(memcg: Memcg, buckets: Buckets): void {
    const account = this.#of(memcg);
    account.buckets = buckets;
    this.#reset(account);
  }

  /** Resets every memcg: the scan period or the hierarchy switch was written. */
  resetAll(): void {
    for (const account of this.#accounts.values()) this.#reset(account);
  }

  /** Zeroes the count of rounds for what is not scanned any more. */
  stopScanning(what: 'pages' | 'slab'): void {
    for (const account of this.#accounts.values()) account[what === 'pages' ? 'pageScans' : 'slabScans'] = 0;
  }

  /** The accounts of memcgs, in their order. Those that are new get theirs parents first: each has the buckets that its parent has now. */
  admit(memcgs: readonly Memcg[]): readonly Account[] {
    const byPath = memcgs.every(({ inode }) => this.#accounts.has(inode)) ? undefined : new Map<string, Account>();
    return memcgs.map((memcg) => {
      const account = this.#of(memcg, byPath);
      byPath?.set(memcg.path, account);
      return account;
    });
  }

  /** Ends a round. Results for buckets that were changed meanwhile are not taken. */
  endRound(results: Iterable<RoundResult>, scanned: { readonly pages: boolean; readonly slab: boolean }): void {
    this.#rounds++;
    for (const { account, histogram, buckets } of results) {
      if (account.buckets !== buckets || account.countsFrom > this.#rounds) continue;
      account.histogram = histogram;
      if (scanned.pages) account.pageScans++;
      if (scanned.slab) account.slabScans++;
    }
  }

  /** So many bytes were reclaimed since the look: they are taken off what is shown until the next one. */
  evicted(memcg: Memcg, type: 'anon' | 'file', bytes: number): void {
    const account = this.#accounts.get(memcg.inode);
    if (!account?.histogram) return;
    const rows = type === 'file' ? (['cfei'] as const) : (['csei', 'csea'] as const);
    account.histogram = withoutOldest(account.histogram, account.buckets.length, rows, bytes);
  }

  /** What a memcg's own pages are, or those of its descendants as well. */
  stats(memcg: Memcg, scope: 'own' | 'tree'): IdleStats {
    const { buckets, pageScans, slabScans, histogram: own } = this.#of(memcg);
    const histogram = new Float64Array(idleRows.length * buckets.length);
    if (buckets.length === 0) return { buckets, pageScans: 0, slabScans: 0, histogram };
    if (own) histogram.set(own);
    if (scope === 'tree')
      for (const below of this.#accounts.values())
        if (below.histogram && isBelow(below.memcg.path, memcg.path))
          addHistogram(histogram, buckets, below.histogram, below.buckets);
    return { buckets, pageScans, slabScans, histogram };
  }

  /** Forgets memcgs that are gone: all but those that were just seen, which have accounts, and others that live. Answers those that were not seen. */
  keepOnly(
    seen: readonly Memcg[],
    isLive: (memcg: Memcg) => boolean,
  ): { readonly gone: Memcg[]; readonly live: Memcg[] } {
    const unseen: { gone: Memcg[]; live: Memcg[] } = { gone: [], live: [] };
    if (this.#accounts.size === seen.length) return unseen;
    const inodes = new Set(seen.map(({ inode }) => inode));
    for (const { memcg } of this.#accounts.values())
      if (!inodes.has(memcg.inode)) unseen[isLive(memcg) ? 'live' : 'gone'].push(memcg);
    for (const { inode } of unseen.gone) this.#accounts.delete(inode);
    return unseen;
  }

  /** Buckets that a memcg would not have by inheriting what its parent has now, for the saved state. */
  customBuckets(): MemcgBuckets[] {
    const custom: MemcgBuckets[] = [];
    for (const { memcg, parent, buckets } of this.#accounts.values())
      if (!areSameBuckets(buckets, parent?.buckets ?? defaultBuckets)) custom.push({ memcg, buckets });
    return custom;
  }

  #reset(account: Account): void {
    account.histogram = undefined;
    account.pageScans = 0;
    account.slabScans = 0;
    account.countsFrom = this.#rounds + 2;
  }

  #of(memcg: Memcg, byPath?: ReadonlyMap<string, Account>): Account {
    const known = this.#accounts.get(memcg.inode);
    if (known) return known;
    const parent = this.#parentOf(memcg, byPath);
    const account: Account = {
      memcg,
      parent,
      buckets: parent?.buckets ?? defaultBuckets,
      countsFrom: this.#rounds + 2,
      pageScans: 0,
      slabScans: 0,
      histogram: undefined,
    };
    this.#accounts.set(memcg.inode, account);
    return account;
  }

  #parentOf({ path }: Memcg, byPath: ReadonlyMap<string, Account> | undefined): Account | undefined {
    if (path === '/') return undefined;
    const parentPath = parentOf(path);
    const listed = byPath?.get(parentPath);
    if (listed) return listed;
    const parent = this.memcgAt(parentPath);
    return parent && this.#of(parent);
  }
}

export function areSameBuckets(one: Buckets, other: Buckets): boolean {
  return one === other || (one.length === other.length && one.every((bucket, index) => bucket === other[index]));
}
