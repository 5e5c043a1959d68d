import { constants } from 'node:fs';
import { systemErrno } from '../errors.js';
import type { CgroupFiles } from '../kernel/cgroup-files.js';
import type { Caller } from '../passed.js';
import { childPath, lineageOf } from '../kernel/lineage.js';
import { limitBytes, unlimitedBytes } from './v1-limit.js';
import type { V2Memory } from './v1-memory-stat.js';

/** A cgroup of v2 as the files of v1 ask it. What is read is read here and now; what is written is written with the caller's rights. */
export class V1Group {
  constructor(
    private readonly cgroups: CgroupFiles,
    readonly path: string,
    readonly pageBytes: number,
  ) {}

  get isRoot(): boolean {
    return this.path === '/';
  }

  /** The text of a file of v2. Throws the kernel's refusal. */
  read(name: string): string {
    return this.cgroups.read(childPath(this.path, name));
  }

  /** The text, or undefined where the cgroup has no such file. */
  readIfThere(name: string): string | undefined {
    try {
      return this.read(name);
    } catch (refusal) {
      if (systemErrno(refusal) === 'ENOENT') return undefined;
      throw refusal;
    }
  }

  bytes(name: string): bigint {
    return BigInt(this.read(name).trim());
  }

  /** A limit of v2; none where the cgroup has no such file (the root). */
  limit(name: string): bigint {
    return limitBytes(this.readIfThere(name) ?? 'max', this.pageBytes);
  }

  /** The limit on memory and swap together. */
  memswLimit(): bigint {
    const sum = this.limit('memory.max') + this.limit('memory.swap.max');
    const most = unlimitedBytes(this.pageBytes);
    return sum > most ? most : sum;
  }

  async write(name: string, text: string, caller: Caller, signal: AbortSignal): Promise<void> {
    const opened = this.cgroups.open(childPath(this.path, name), constants.O_WRONLY, caller);
    try {
      await opened.write(text, caller, signal);
    } finally {
      opened.close();
    }
  }

  memory(): V2Memory {
    const swap = this.readIfThere('memory.swap.current');
    return { stat: this.read('memory.stat'), swapBytes: swap === undefined ? undefined : BigInt(swap.trim()) };
  }

  /** What the children that are memcgs have; one that is removed meanwhile has nothing. */
  childrenMemory(): V2Memory[] {
    return this.children().flatMap((child) => {
      try {
        return child.memory();
      } catch (refusal) {
        if (['ENOENT', 'ENODEV'].includes(systemErrno(refusal) ?? '')) return [];
        throw refusal;
      }
    });
  }

  children(): V1Group[] {
    return this.cgroups
      .list(this.path)
      .filter(({ isDirectory }) => isDirectory)
      .map(({ name }) => this.#at(childPath(this.path, name)));
  }

  /** This group and those above it, the root last. */
  lineage(): V1Group[] {
    return lineageOf(this.path).map((path) => this.#at(path));
  }

  /** Whether its children have the memory controller. */
  givesMemory(): boolean {
    return this.read('cgroup.subtree_control').trim().split(' ').includes('memory');
  }

  #at(path: string): V1Group {
    return new V1Group(this.cgroups, path, this.pageBytes);
  }
}
