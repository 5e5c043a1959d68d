/** What the kernel says of page frames: one entry of 8 bytes a frame in /proc/kpageflags and in /proc/kpagecgroup. */
import { endianness } from 'node:os';

export const FRAME_ENTRY_BYTES = 8;

/** Bits of an entry of /proc/kpageflags (include/uapi/linux/kernel-page-flags.h); all that are used here are in its lower half. */
export const frameFlag = {
  referenced: 1 << 2,
  dirty: 1 << 4,
  lru: 1 << 5,
  writeback: 1 << 8,
  mapped: 1 << 11,
  anon: 1 << 12,
  swapBacked: 1 << 14,
  compoundTail: 1 << 16,
  unevictable: 1 << 18,
  noPage: 1 << 20,
  huge: 1 << 22,
  idle: 1 << 25,
} as const;

const LOWER_HALF = endianness() === 'LE' ? 0 : 1;
const UPPER_HALF = 1 - LOWER_HALF;

/** Room for the entries of so many neighbouring frames. The kernel's bytes go into `flagBytes` and `memcgBytes` as they are. */
export class PageFrames {
  readonly flagBytes: Uint8Array;
  readonly memcgBytes: Uint8Array;
  readonly #flags: Uint32Array;
  readonly #memcgs: Uint32Array;

  constructor(readonly capacity: number) {
    const bytes = capacity * FRAME_ENTRY_BYTES;
    this.flagBytes = new Uint8Array(bytes);
    this.memcgBytes = new Uint8Array(bytes);
    this.#flags = new Uint32Array(this.flagBytes.buffer);
    this.#memcgs = new Uint32Array(this.memcgBytes.buffer);
  }

  /** Flags 0 to 31 of the frame at `index`; test them with {@link frameFlag}. */
  flagsAt(index: number): number {
    return this.#flags[index * 2 + LOWER_HALF] ?? 0;
  }

  /** Inode of the directory of the memcg that the frame is charged to; 0 for none. */
  memcgAt(index: number): number {
    return (this.#memcgs[index * 2 + UPPER_HALF] ?? 0) * 2 ** 32 + (this.#memcgs[index * 2 + LOWER_HALF] ?? 0);
  }

  /** Puts a frame in place, for models. */
  set(index: number, flags: number, memcgInode: number): void {
    this.#flags[index * 2 + LOWER_HALF] = flags >>> 0;
    this.#flags[index * 2 + UPPER_HALF] = 0;
    this.#memcgs[index * 2 + LOWER_HALF] = memcgInode % 2 ** 32;
    this.#memcgs[index * 2 + UPPER_HALF] = Math.floor(memcgInode / 2 ** 32);
  }
}
