import { systemErrno, type ColdpgsError } from '../../errors.js';
import type { AgingRefusal, AgingTarget, EvictCommand, LruGenInterface, MemcgInterface } from '../kernel.js';
import {
  agingCommand,
  evictionCommand,
  type Generation,
  type LruGenMemcg,
  LruGenParser,
  OFFLINE_ID,
} from '../lru-gen.js';
import { toText } from '../text.js';
import { kernelRefused, memcgGone } from './refusal.js';

/** One write takes this many aging commands: enough to save most of the cost of a write, few enough to try again one by one. */
const TARGETS_PER_WRITE = 64;

/** debugfs lru_gen as a file: its text in pieces, and one write of newline-separated commands. Errors are Node's own. */
export interface LruGenFile {
  pieces(): AsyncIterable<string>;
  write(commands: string): Promise<void>;
}

/** What differs between kernels and machines. */
export interface LruGenSurroundings {
  /** The kernel knows swappiness `max` (6.16+). */
  readonly anonOnlyEviction: boolean;
  /** The path of a memcg that lru_gen names from the top of its hierarchy, or undefined where coldpgs does not see it. */
  pathOf(kernelPath: string): string | undefined;
}

export class LinuxLruGen implements LruGenInterface {
  /** Of the latest listing, in its order. */
  #paths: readonly string[] = [];

  constructor(
    private readonly file: LruGenFile,
    private readonly memcgs: Pick<MemcgInterface, 'at' | 'has'>,
    private readonly surroundings: LruGenSurroundings,
  ) {}

  async read(): Promise<LruGenMemcg[]> {
    const pieces: { readonly memcgs: readonly LruGenMemcg[]; readonly readMs: number }[] = [];
    for await (const memcgs of this.#listed(this.#paths)) pieces.push({ memcgs, readMs: performance.now() });
    const endMs = performance.now();
    const listed: LruGenMemcg[] = [];
    for (const { memcgs, readMs } of pieces)
      for (const memcg of memcgs) {
        growOlder(memcg, Math.floor(endMs - readMs));
        listed.push(memcg);
      }
    this.#paths = listed.map(({ path }) => path);
    return withDeadNamesakesOffline(listed);
  }

  async readOne(path: string): Promise<LruGenMemcg | undefined> {
    const inode = this.memcgs.at(path)?.inode.toString();
    let latest: LruGenMemcg | undefined;
    for await (const memcgs of this.#listed())
      for (const memcg of memcgs) {
        if (memcg.path !== path) continue;
        latest = memcg;
        // Where the id is the inode this is the one. Elsewhere a dead memcg may stand before a live one of the same path.
        if (memcg.id === inode) return latest;
      }
    return latest;
  }

  async age(targets: readonly AgingTarget[]): Promise<AgingRefusal[]> {
    const refusals: AgingRefusal[] = [];
    for (let start = 0; start < targets.length; start += TARGETS_PER_WRITE)
      refusals.push(...(await this.#ageBatch(targets.slice(start, start + TARGETS_PER_WRITE))));
    return refusals;
  }

  async evict(command: EvictCommand): Promise<void> {
    if (this.#isGone(command)) throw memcgGone(command.path);
    const line = evictionCommand(command, this.surroundings.anonOnlyEviction);
    try {
      await this.file.write(`${line}\n`);
    } catch (error) {
      throw this.#refusalOf(command, line, error);
    }
  }

  /**
   * What the file lists, as it comes, with the paths that coldpgs uses. A piece is one walk of the kernel; the next one goes on by count.
   * So memcgs that come and go between two pieces may hide or double others, and on machines with several nodes may lend the
   * later nodes of the memcg at the border to another.
   */
  async *#listed(pathsBefore?: readonly string[]): AsyncGenerator<readonly LruGenMemcg[], void> {
    const parser = new LruGenParser(pathsBefore);
    try {
      for await (const piece of this.file.pieces()) yield this.#seen(parser.push(piece));
      yield this.#seen(parser.end());
    } catch (error) {
      throw kernelRefused(`Cannot read the generations.${hintOf(error)}`, error);
    }
  }

  #seen(memcgs: readonly LruGenMemcg[]): LruGenMemcg[] {
    const seen: LruGenMemcg[] = [];
    for (const memcg of memcgs) {
      const path = this.surroundings.pathOf(memcg.path);
      if (path !== undefined) seen.push(path === memcg.path ? memcg : { ...memcg, path });
    }
    return seen;
  }

  async #ageBatch(targets: readonly AgingTarget[]): Promise<AgingRefusal[]> {
    const gone = targets.filter((target) => this.#isGone(target));
    const refusals: AgingRefusal[] = gone.map((target) => ({ target, error: memcgGone(target.path) }));
    const live = targets.filter((target) => !gone.includes(target));
    if (live.length === 0) return refusals;
    try {
      await this.file.write(live.map((target) => `${agingCommand(target)}\n`).join(''));
    } catch {
      // The kernel stops at the first command that it refuses, and does not say which.
      refusals.push(...(await this.#ageOneByOne(live)));
    }
    return refusals;
  }

  async #ageOneByOne(targets: readonly AgingTarget[]): Promise<AgingRefusal[]> {
    const refusals: AgingRefusal[] = [];
    const maxSeqs = youngestSeqs(await this.read());
    for (const target of targets) {
      const maxSeq = maxSeqs.get(lruKey(target));
      // Aged by the write that failed further on. From 6.14 on the kernel would age it once more.
      if (maxSeq !== undefined && maxSeq > target.maxSeq) continue;
      const line = agingCommand(target);
      try {
        await this.file.write(`${line}\n`);
      } catch (error) {
        refusals.push({ target, error: this.#refusalOf(target, line, error) });
      }
    }
    return refusals;
  }

  #isGone({ path }: { readonly path: string }): boolean {
    return !this.memcgs.has(path);
  }

  #refusalOf(command: { readonly path: string }, line: string, cause: unknown): ColdpgsError {
    if (this.#isGone(command)) return memcgGone(command.path, cause);
    return kernelRefused(`The kernel refuses "${line}" for ${toText(command.path)}.${hintOf(cause)}`, cause);
  }
}

/** What to do about an error of the file itself, by errno. */
const HINTS: Readonly<Record<string, string>> = {
  EPERM:
    ' Kernel lockdown (usual with Secure Boot) keeps debugfs closed: boot with lockdown=none, or without Secure Boot.',
  EACCES: ' coldpgs must run as root.',
  ENOENT: ' debugfs lru_gen is not there: mount debugfs at /sys/kernel/debug.',
};

function hintOf(error: unknown): string {
  return HINTS[systemErrno(error) ?? ''] ?? '';
}

/** Births are told in ticks of the kernel's clock: less than one of those is no difference. */
const tickMs = 10;

/** A listing of thousands takes its time: an age is what it was when its line was read. Changes a listing that nobody else has yet: copies of all rows would cost as much as reading them. */
function growOlder({ nodes }: LruGenMemcg, ms: number): void {
  if (ms < tickMs) return;
  for (const { generations } of nodes)
    for (const one of generations as readonly { -readonly [Field in keyof Generation]: Generation[Field] }[])
      one.ageMs += ms;
}

/** Before 7.x a removed memcg is listed while anything is charged to it, under its path and before a new memcg of that path. */
function withDeadNamesakesOffline(listed: LruGenMemcg[]): LruGenMemcg[] {
  if (new Set(listed.map(({ path }) => path)).size === listed.length) return listed;
  const latest = new Map<string, LruGenMemcg>();
  for (const memcg of listed) latest.set(memcg.path, memcg);
  return listed.map((memcg) => (latest.get(memcg.path) === memcg ? memcg : { ...memcg, id: OFFLINE_ID }));
}

function youngestSeqs(listed: readonly LruGenMemcg[]): Map<string, bigint> {
  const seqs = new Map<string, bigint>();
  for (const { id, path, nodes } of listed) {
    for (const { node, generations } of nodes) {
      const youngest = generations.at(-1);
      if (youngest !== undefined) seqs.set(lruKey({ id, path, node }), youngest.seq);
    }
  }
  return seqs;
}

/** A memcg's lists on one node. The path takes part because the kernel reuses ids. */
function lruKey({ id, path, node }: { readonly id: string; readonly path: string; readonly node: number }): string {
  return `${id} ${node} ${path}`;
}
