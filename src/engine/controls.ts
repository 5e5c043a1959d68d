import type { Memcg } from '../kernel/kernel.js';

/** What the files of /sys/kernel/mm/coldpgs hold. Every number as written; bits that mean nothing are kept. */
export interface GlobalControls {
  flags: number;
  batch: number;
  hierarchy: 0 | 1;
  mode: number;
  agePeriods: number;
  nonrotAgePeriods: number;
}

export const defaultGlobalControls: Readonly<GlobalControls> = {
  flags: 0,
  batch: 32,
  hierarchy: 0,
  mode: 0,
  agePeriods: 0,
  nonrotAgePeriods: 0,
};

/** What the memory.coldpgs.* files of one memcg hold. */
export interface MemcgControls {
  flags: bigint;
  /** The threshold as read back: 0 again after a run. */
  agePeriods: number;
  /** The size as written, in the unit of the dialect: 0 again after a run. */
  size: bigint;
  /** The last threshold that was written and not 0: what the memcg's aging goes by when its flags name no coldness. */
  lastAgePeriods: number;
}

/** Controls of memcgs, keyed by identity: a new memcg at an old path has all zeros. */
export class MemcgControlTable {
  readonly #byInode = new Map<bigint, { path: string; controls: MemcgControls }>();

  of(memcg: Memcg): Readonly<MemcgControls> {
    return this.#byInode.get(memcg.inode)?.controls ?? { flags: 0n, agePeriods: 0, size: 0n, lastAgePeriods: 0 };
  }

  set(memcg: Memcg, change: Partial<MemcgControls>): void {
    this.#byInode.set(memcg.inode, { path: memcg.path, controls: { ...this.of(memcg), ...change } });
  }

  /** Forgets memcgs that are gone. */
  keepOnly(isLive: (memcg: Memcg) => boolean): void {
    for (const { memcg } of this.entries()) if (!isLive(memcg)) this.#byInode.delete(memcg.inode);
  }

  entries(): { memcg: Memcg; controls: Readonly<MemcgControls> }[] {
    return [...this.#byInode].map(([inode, { path, controls }]) => ({ memcg: { path, inode }, controls }));
  }
}

/** Bits of the global mode file. `compact` is an extension of this project's. */
export const modeBits = { pageCache: 0x1, anon: 0x2, slab: 0x4, compact: 0x100 } as const;

/** Bits of the global flags file. */
export const flagBits = { ignoreMlock: 0x1, ignoreAge: 0x2 } as const;

/** Bits 0-31 of memory.coldpgs.flags: the coldness that a user-space daemon wants for the memcg; 0 when it names none or more than 255. */
export function coldnessOfFlags(flags: bigint): number {
  const coldness = Number(flags & 0xffffffffn);
  return coldness <= 255 ? coldness : 0;
}

/** Bits 32-34 of memory.coldpgs.flags, as a mode mask. */
export function modeOfFlags(flags: bigint): number {
  return Number((flags >> 32n) & 0x7n);
}

/** Bit 35 of memory.coldpgs.flags: the memcg's mlocked pages may be reclaimed. */
export function ignoresMlock(flags: bigint): boolean {
  return ((flags >> 35n) & 1n) === 1n;
}

/** Bit 36 of memory.coldpgs.flags: the memcg's pages may be reclaimed whatever their age. */
export function ignoresAge(flags: bigint): boolean {
  return ((flags >> 36n) & 1n) === 1n;
}
