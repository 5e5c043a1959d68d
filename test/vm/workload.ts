import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { eventually } from './eventually.js';
import { killAtExit } from './left-behind.js';
import { type Memcg, pageBytes } from './memcg.js';

const program = '/root/workload';

/** What the workload says of one of its sets. */
export interface SetReport {
  readonly type: string;
  readonly mib: number;
  /** Milliseconds from one use of the set to the next; 0 for a set that is never used again. */
  readonly everyMs: number;
  /** Pages in RAM: swap cache counts too. */
  readonly residentPages: number;
  /** Pages that were missing when the set was to be used. */
  readonly lostPages: number;
  /** The longest time since the last report that a page of the set may have gone unused. */
  readonly gapMs: number;
}

/** The program whose use of its memory is known (workload/workload.c), in a memcg. */
export class Workload {
  readonly #lines: string[] = [];
  readonly #process: ChildProcess;

  private constructor(memcg: Pick<Memcg, 'file'>, sets: readonly string[]) {
    const script = `echo $$ > "$0" && exec ${program} "$@"`;
    const child = spawn('sh', ['-c', script, memcg.file('cgroup.procs'), ...sets], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface({ input: child.stdout }).on('line', (line) => this.#lines.push(line));
    this.#process = child;
    killAtExit(() => child.kill('SIGKILL'));
  }

  /** Starts it with sets such as `anon:128:0` and resolves when all of them are in memory. */
  static async start(memcg: Pick<Memcg, 'file'>, ...sets: readonly string[]): Promise<Workload> {
    const workload = new Workload(memcg, sets);
    await eventually('the workload to be ready', () => {
      if (workload.hasEnded) throw new Error(`the workload ended: ${sets.join(' ')}`);
      return workload.#lines.some((line) => line.startsWith('ready'));
    });
    return workload;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  async report(): Promise<SetReport[]> {
    this.#lines.length = 0;
    this.#process.kill('SIGUSR1');
    await eventually('the report of the workload', () => this.#lines.includes('end'));
    return this.#lines.slice(0, this.#lines.indexOf('end')).map((line) => {
      const [type = '', mib, everyMs, , residentPages, , lostPages, , gapMs] = line.split(' ');
      return {
        type,
        mib: Number(mib),
        everyMs: Number(everyMs),
        residentPages: Number(residentPages),
        lostPages: Number(lostPages),
        gapMs: Number(gapMs),
      };
    });
  }

  /** VmSwap: what of its memory is in swap and not mapped. */
  swappedBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^VmSwap:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  async stop(): Promise<void> {
    if (this.hasEnded) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }
}

/** Pages of a set. */
export function pagesOf(set: SetReport): number {
  return (set.mib * 1024 * 1024) / pageBytes;
}
