import type { Memcg } from '../kernel/kernel.js';
import { isBelow } from '../kernel/lineage.js';

/** The rows of memory.coldpgs.stats, in the order of the module (reference: coldpgs 2.5, section 3). */
export const ledgerRows = [
  'pagecache migrate in',
  'pagecache migrate out',
  'pagecache dropped',
  'anon migrate in',
  'anon zswap in',
  'anon swap in',
  'anon migrate out',
  'anon zswap out',
  'anon swap out',
  'slab drop',
  'mlock dropped',
  'mlock refault',
] as const;

export type LedgerRow = (typeof ledgerRows)[number];
export type LedgerBytes = Partial<Record<LedgerRow, number>>;

interface Account {
  path: string;
  bytes: LedgerBytes;
}

/** What left and came back, in bytes, by memcg. Keyed by identity: a new memcg at an old path starts at zero. */
export class Ledger {
  readonly #accounts = new Map<bigint, Account>();
  readonly #listeners = new Set<{ readonly path: string; readonly tell: () => void }>();

  /** Calls `tell` after each change of the account of a memcg or of one below it, until the function that it returns is called. */
  onChange(memcg: Memcg, tell: () => void): () => void {
    const listener = { path: memcg.path, tell };
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  add(memcg: Memcg, bytes: LedgerBytes): void {
    const account = this.#accounts.get(memcg.inode) ?? { path: memcg.path, bytes: {} };
    account.path = memcg.path;
    for (const row of ledgerRows) {
      const added = bytes[row] ?? 0;
      if (added > 0) account.bytes[row] = (account.bytes[row] ?? 0) + added;
    }
    if (Object.keys(account.bytes).length > 0) this.#accounts.set(memcg.inode, account);
    this.#changed(memcg);
  }

  /** Bytes of the memcg itself, without descendants. */
  own(memcg: Memcg): Readonly<LedgerBytes> {
    return this.#accounts.get(memcg.inode)?.bytes ?? {};
  }

  /** Bytes of the memcg and those of its descendants that `isLive` confirms. */
  total(memcg: Memcg, isLive: (memcg: Memcg) => boolean): LedgerBytes {
    const total: LedgerBytes = { ...this.own(memcg) };
    for (const { memcg: below, bytes } of this.#below(memcg))
      if (isLive(below)) for (const row of ledgerRows) total[row] = (total[row] ?? 0) + (bytes[row] ?? 0);
    return total;
  }

  reset(memcg: Memcg): void {
    if (this.#accounts.delete(memcg.inode)) this.#changed(memcg);
  }

  resetTree(memcg: Memcg): void {
    this.reset(memcg);
    for (const { memcg: below } of this.#below(memcg)) this.reset(below);
  }

  /** Forgets memcgs that are gone. */
  keepOnly(isLive: (memcg: Memcg) => boolean): void {
    for (const { memcg } of this.accounts()) if (!isLive(memcg)) this.reset(memcg);
  }

  /** Every account that is not zero, for the saved state. */
  accounts(): { memcg: Memcg; bytes: Readonly<LedgerBytes> }[] {
    return [...this.#accounts].map(([inode, { path, bytes }]) => ({ memcg: { path, inode }, bytes }));
  }

  #changed({ path }: Memcg): void {
    for (const listener of this.#listeners) if (listener.path === path || isBelow(path, listener.path)) listener.tell();
  }

  #below(memcg: Memcg): { memcg: Memcg; bytes: Readonly<LedgerBytes> }[] {
    return this.accounts().filter((account) => isBelow(account.memcg.path, memcg.path));
  }
}
