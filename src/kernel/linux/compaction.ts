import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { CompactionEnd, CompactionInterface, CompactionRun, FreeMemory } from '../compaction.js';
import { parseFreeBlocks, parseFreeBlocksByNode } from '../buddyinfo.js';
import { parseFreeBytes } from '../meminfo.js';
import { parseMovablePages } from '../pagetypeinfo.js';
import { readText, readTextSync, writeText } from './kernel-file.js';
import type { KernelPaths } from './paths.js';
import { isGone, kernelRefused } from './refusal.js';

/**
 * Starts a process for each line it reads, which asks for a compaction by writing to the file of that name, and prints its exit status; SIGUSR1 kills the process. A shell of its own,
 * started before the mount: a child of the daemon itself may inherit /dev/fuse. It alone kills, because only the parent knows that a process id
 * still is its child's.
 */
const script = `
child=
signalled=
trap '' INT HUP
trap 'signalled=1; [ -n "$child" ] && kill -KILL "$child"' USR1
while :; do
  signalled=
  if ! read -r line; then
    [ -n "$signalled" ] && continue
    exit
  fi
  sh -c 'echo 1 > "$1"' sh "$line" 2> /dev/null &
  child=$!
  while :; do
    wait "$child"
    status=$?
    kill -0 "$child" 2> /dev/null || break
  done
  child=
  echo "$status"
done
`;

export class LinuxCompaction implements CompactionInterface {
  #starter: ChildProcess | undefined;
  /** Whether somebody killed it. */
  #isLost = false;
  #killed = false;
  #onEnd: ((end: CompactionEnd) => void) | undefined;

  constructor(
    private readonly paths: Pick<
      KernelPaths,
      | 'meminfo'
      | 'pageTypes'
      | 'freeBlocks'
      | 'refreshCounters'
      | 'compactMemory'
      | 'compactNode'
      | 'openFiles'
      | 'openFileInfo'
    >,
  ) {}

  prepare(): void {
    const starter = spawn('/bin/sh', ['-c', script, 'coldpgs-compaction'], {
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { LC_ALL: 'C', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      cwd: '/',
    });
    this.#starter = starter;
    this.#isLost = false;
    starter.on('error', () => this.#gone(starter));
    starter.on('exit', () => this.#gone(starter));
    starter.stdin.on('error', () => undefined);
    const lines = createInterface(starter.stdout);
    lines.on('line', (line) => {
      this.#end(line === '0' ? 'done' : this.#killed ? 'killed' : 'refused');
    });
    starter.unref();
    for (const pipe of [starter.stdin, starter.stdout]) (pipe as unknown as { unref?(): void }).unref?.();
  }

  close(): void {
    this.#starter?.kill('SIGUSR1');
    this.#starter?.stdin?.end();
    this.#starter = undefined;
  }

  async freeMemory(): Promise<FreeMemory> {
    return {
      freeBytes: parseFreeBytes(await readText(this.paths.meminfo)),
      movablePagesByOrder: parseMovablePages(await readText(this.paths.pageTypes)),
      blocksByOrder: parseFreeBlocks(await readText(this.paths.freeBlocks)),
    };
  }

  freeBlocksByNode(): ReadonlyMap<number, readonly number[]> {
    try {
      return parseFreeBlocksByNode(readTextSync(this.paths.freeBlocks));
    } catch (error) {
      throw kernelRefused(`Cannot read ${this.paths.freeBlocks}.`, error);
    }
  }

  async drainProcessorLists(): Promise<void> {
    // Kernels for one processor have no such file.
    if (!existsSync(this.paths.refreshCounters)) return;
    try {
      // Folding their counters into those of the machine, the processors also shorten these lists (refresh_cpu_vm_stats in mm/vmstat.c).
      await writeText(this.paths.refreshCounters, '1');
    } catch (error) {
      throw kernelRefused(`Cannot write to ${this.paths.refreshCounters}.`, error);
    }
  }

  start(node?: number): CompactionRun {
    if (this.#isLost && !this.#onEnd && !mayInheritFuse(this.paths)) this.prepare();
    const starter = this.#starter;
    if (!starter?.stdin || this.#onEnd)
      throw kernelRefused(
        'No process can be started for the compaction: the last one has not ended, or the shell coldpgs-compaction is not there (any more). Start coldpgs again.',
        undefined,
      );
    const ended = new Promise<CompactionEnd>((resolve) => {
      this.#onEnd = resolve;
    });
    this.#killed = false;
    starter.stdin.write(`${this.#fileOf(node)}\n`);
    const kill = (): void => {
      if (!this.#onEnd) return;
      this.#killed = true;
      starter.kill('SIGUSR1');
    };
    return { ended, kill };
  }

  /** Kernels for machines without nodes have no file for the one that is there. */
  #fileOf(node: number | undefined): string {
    const { compactMemory, compactNode } = this.paths;
    return node !== undefined && existsSync(compactNode(node)) ? compactNode(node) : compactMemory;
  }

  #end(end: CompactionEnd): void {
    const onEnd = this.#onEnd;
    this.#onEnd = undefined;
    onEnd?.(end);
  }

  #gone(starter: ChildProcess): void {
    if (this.#starter === starter) {
      this.#starter = undefined;
      this.#isLost = true;
    }
    this.#end('refused');
  }
}

const O_CLOEXEC = 0o2000000;

/** Whether a child of this process would hold /dev/fuse: libfuse opens it without close-on-exec. Also where that cannot be seen. */
function mayInheritFuse({ openFiles, openFileInfo }: Pick<KernelPaths, 'openFiles' | 'openFileInfo'>): boolean {
  try {
    return readdirSync(openFiles).some((name) => {
      if (linkAt(`${openFiles}/${name}`) !== '/dev/fuse') return false;
      const flags = /^flags:\s+([0-7]+)$/m.exec(readTextSync(`${openFileInfo}/${name}`))?.[1];
      return flags === undefined || (parseInt(flags, 8) & O_CLOEXEC) === 0;
    });
  } catch {
    return true;
  }
}

/** undefined where a file was closed meanwhile. */
function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
