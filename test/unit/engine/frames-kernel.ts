import type { Kernel, Memcg } from '../../../src/kernel/kernel.js';
import { isIdleAt } from '../../../src/kernel/idle-bitmap.js';
import { frameFlag } from '../../../src/kernel/page-frames.js';
import type { LruGenMemcg } from '../../../src/kernel/lru-gen.js';
import type { SeenMemcg } from '../../../src/engine/tracker.js';

/** A page frame with all that page tables, reads and agings do to it. */
export class ModelPage {
  idle = false;
  accessed = false;
  referenced = false;
  mapped = false;
  huge = false;
  dirty = false;

  constructor(
    readonly memcg: Memcg,
    private readonly kind: number,
  ) {}

  get flags(): number {
    return (['referenced', 'mapped', 'huge', 'dirty'] as const).reduce(
      (flags, name) => (this[name] ? flags | frameFlag[name] : flags),
      this.kind,
    );
  }

  /** As by a process that has it mapped. */
  touch(): void {
    this.accessed = true;
  }

  /** As by read(2) under MgLRU: the idle mark stays. */
  read(): void {
    this.referenced = true;
  }
}

/** Pages one by one, with the marks of idle page tracking. An aging clears what page tables and reads have set. */
export class ModelFrames {
  readonly pages: (ModelPage | undefined)[] = [];

  add(memcg: Memcg, kind: 'anon' | 'file', count: number): ModelPage[] {
    const flags = frameFlag.lru | (kind === 'anon' ? frameFlag.swapBacked | frameFlag.anon : 0);
    const added = Array.from({ length: count }, () => new ModelPage(memcg, flags));
    this.pages.push(...added);
    return added;
  }

  age(): void {
    for (const page of this.pages) if (page) Object.assign(page, { accessed: false, referenced: false });
  }

  readonly interfaces: Pick<Kernel, 'pageFrames' | 'idlePages' | 'pageBytes'> = {
    pageBytes: 4096,
    pageFrames: {
      obstacle: async () => undefined,
      count: async () => Math.max(this.pages.length, 1024),
      read: async (firstPfn, into) => {
        const count = Math.max(0, Math.min(into.capacity, Math.max(this.pages.length, 1024) - firstPfn));
        for (let index = 0; index < count; index++) {
          const page = this.pages[firstPfn + index];
          if (page) into.set(index, page.flags, Number(page.memcg.inode));
          else into.set(index, frameFlag.noPage, 0);
        }
        return count;
      },
    },
    idlePages: {
      obstacle: async () => undefined,
      read: async (firstPfn, into) => {
        into.fill(0);
        for (let index = 0; index < into.length * 8; index++) {
          const page = this.pages[firstPfn + index];
          if (!page?.idle) continue;
          if (page.accessed) Object.assign(page, { accessed: false, idle: false });
          else into[index >> 3]! |= 1 << (index & 7);
        }
      },
      mark: async (firstPfn, bitmap) => {
        for (let index = 0; index < bitmap.length * 8; index++) {
          const page = this.pages[firstPfn + index];
          if (page && isIdleAt(bitmap, index)) Object.assign(page, { accessed: false, idle: true });
        }
      },
    },
  };
}

export const memcgOf = (path: string, inode: bigint): Memcg => ({ path, inode });

/** A memcg as a listing has it, aged `agings` times, the last time so long ago. */
export function seenMemcg(
  memcg: Memcg,
  pages: { anon?: number; file?: number },
  agings = 0,
  sinceMs = 1000,
): SeenMemcg {
  const generations = [0, 1, 2, 3].map((index) => ({
    seq: BigInt(agings + index),
    ageMs: sinceMs + (3 - index) * 1000,
    anonPages: index === 0 ? (pages.anon ?? 0) : 0,
    filePages: index === 0 ? (pages.file ?? 0) : 0,
  }));
  const listed: LruGenMemcg = { id: String(memcg.inode), path: memcg.path, nodes: [{ node: 0, generations }] };
  return { memcg, listed };
}
