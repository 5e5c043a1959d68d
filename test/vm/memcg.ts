import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './eventually.js';

/** The hierarchy that has the memory controller: v1's where the machine has one, else v2. */
const cgroupRoot = existsSync('/sys/fs/cgroup/memory') ? '/sys/fs/cgroup/memory' : '/sys/fs/cgroup';
export const pageBytes = 4096;
let made = 0;

/** A memcg of a test's own, under a name that nothing else has. */
export class Memcg {
  readonly #children: Memcg[] = [];

  private constructor(
    /** As coldpgs and lru_gen name it. */
    readonly path: string,
  ) {
    mkdirSync(this.folder);
  }

  static make(about: string): Memcg {
    return new Memcg(`/${about}-${process.pid}-${++made}`);
  }

  /** Makes one at a path that another had before. */
  static makeAt(path: string): Memcg {
    return new Memcg(path);
  }

  /** Makes a memcg below this one, with a memory controller of its own. */
  makeChild(name: string): Memcg {
    if (existsSync(this.file('cgroup.subtree_control'))) this.write('cgroup.subtree_control', '+memory');
    const child = new Memcg(`${this.path}/${name}`);
    this.#children.push(child);
    return child;
  }

  get folder(): string {
    return cgroupRoot + this.path;
  }

  file(name: string): string {
    return `${this.folder}/${name}`;
  }

  read(name: string): string {
    return readFileSync(this.file(name), 'utf8').trim();
  }

  write(name: string, value: string | number): void {
    writeFileSync(this.file(name), String(value));
  }

  /** A counter of memory.stat; bytes where that file has bytes. */
  stat(name: string): number {
    return counter(readFileSync(this.file('memory.stat'), 'utf8'), name);
  }

  pageCacheBytes(): number {
    return this.stat('file');
  }

  /** Bytes of anonymous memory in RAM, mapped or only in the swap cache. */
  anonBytes(): number {
    const stat = readFileSync(this.file('memory.stat'), 'utf8');
    return counter(stat, 'anon') + counter(stat, 'swapcached');
  }

  /** Pages that were evicted and then used again, since the memcg was made. */
  refaults(): { anonPages: number; filePages: number } {
    return { anonPages: this.stat('workingset_refault_anon'), filePages: this.stat('workingset_refault_file') };
  }

  /** A counter of memory.events. */
  event(name: string): number {
    return counter(readFileSync(this.file('memory.events'), 'utf8'), name);
  }

  /** Number of the youngest generation; it grows by one with each aging. */
  youngestGeneration(): number {
    return this.generations().at(-1)?.seq ?? 0;
  }

  /** What lru_gen lists of it on node 0, the oldest first. */
  generations(): { seq: number; ageMs: number; pages: number }[] {
    let inside = false;
    const generations: { seq: number; ageMs: number; pages: number }[] = [];
    for (const line of readFileSync('/sys/kernel/debug/lru_gen', 'utf8').split('\n')) {
      const path = /^memcg\s+\d+ (.*)$/.exec(line)?.[1];
      if (path !== undefined) inside = path === this.path;
      const [, seq, ageMs, anon, file] = /^\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)/.exec(line) ?? [];
      if (inside && seq !== undefined)
        generations.push({ seq: Number(seq), ageMs: Number(ageMs), pages: Number(anon) + Number(file) });
    }
    return generations;
  }

  /** Resolves when the memcg was aged so often from now on. */
  async agings(times: number): Promise<void> {
    const from = this.youngestGeneration();
    await eventually(`${times} agings of ${this.path}`, () => this.youngestGeneration() >= from + times);
  }

  /**
   * Resolves when all that is in the memcg now and stays unused is proven idle for `idleMs`: the first aging sees the use by which it
   * came in, two more make its generation one that may be evicted. An aging may come a twentieth of a period early. A memcg of which nothing
   * runs is not aged once all of it is in the oldest generation: then its borders must be old enough, and it must have been watched that long.
   */
  async cold(idleMs = 1000): Promise<void> {
    const from = this.youngestGeneration();
    const startMs = performance.now();
    await eventually(`${this.path} to be cold`, () => {
      const generations = this.generations();
      if ((generations.at(-1)?.seq ?? 0) >= from + 3 && performance.now() - startMs >= idleMs * 2) return true;
      const border = generations.at(-2);
      const younger = generations.slice(1).reduce((sum, { pages }) => sum + pages, 0);
      return younger === 0 && border && border.ageMs >= idleMs && performance.now() - startMs >= idleMs * 2.5;
    });
    await sleep(500);
  }

  /** Kills what runs inside (where the kernel can: cgroup v2) and removes it, children first. May be called when it is gone already. */
  async remove(): Promise<void> {
    for (const child of this.#children) await child.remove();
    if (!existsSync(this.folder)) return;
    if (existsSync(this.file('cgroup.kill'))) this.write('cgroup.kill', '1');
    await eventually(`${this.path} to be removed`, () => {
      try {
        rmdirSync(this.folder);
        return true;
      } catch {
        return !existsSync(this.folder);
      }
    });
  }
}

function counter(text: string, name: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  if (line === undefined) throw new Error(`no counter ${name} here`);
  return Number(line.slice(name.length + 1));
}
