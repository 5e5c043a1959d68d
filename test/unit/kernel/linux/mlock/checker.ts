import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { ProcessIdentity } from '../../../../../src/kernel/mlock.js';
import { identityIn } from '../../../../../src/kernel/linux/mlock/suitability.js';
import { LinuxMlock } from '../../../../../src/kernel/linux/mlock.js';
import { kernelPaths } from '../../../../../src/kernel/linux/paths.js';

/** Why processes cannot be traced here; false when they can. */
export const cannotTrace: string | false =
  process.geteuid?.() !== 0
    ? 'tracing other processes takes root'
    : spawnSync('gcc', ['--version']).status !== 0
      ? 'there is no gcc to compile checker.c'
      : !['x64', 'arm64'].includes(process.arch) && `coldpgs traces no processes on ${process.arch}`;

export const mebibyte = 1024 * 1024;

/** The real machine's. */
export function realMlock(): LinuxMlock {
  return new LinuxMlock(kernelPaths({ procRoot: '/proc', sysRoot: '/sys', debugfsRoot: '/sys/kernel/debug' }), 4096);
}

/** A running checker.c: a program that notices what is done to it. */
export class Checker {
  readonly #closed: Promise<unknown>;

  private constructor(
    readonly process: ChildProcess,
    readonly identity: ProcessIdentity,
    readonly address: number,
    private readonly said: string[],
  ) {
    this.#closed = once(process, 'close');
  }

  /** Compiles it. `libraries`: dynamic, as most programs are, or static. */
  static compile(folder: string, libraries: 'dynamic' | 'static' = 'dynamic'): string {
    const source = 'test/unit/kernel/linux/mlock/checker.c';
    const program = `${folder}/checker-${libraries}`;
    execFileSync('gcc', ['-O2', '-Wall', '-Wextra', '-Werror', '-pthread', ...(libraries === 'static' ? ['-static'] : []), '-o', program, source]); // prettier-ignore
    return program;
  }

  static async start(program: string, ...args: string[]): Promise<Checker> {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const said: string[] = [];
    child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
    const lines = createInterface(child.stdout).on('line', (line) => said.push(line));
    await once(lines, 'line');
    const [, pid = '', address = ''] = said[0]?.split(' ') ?? [];
    const identity = identityIn(Number(pid), readFileSync(`/proc/${pid}/stat`, 'latin1'));
    if (!identity) throw new Error(said.join());
    return new Checker(child, identity, parseInt(address, 16), said);
  }

  /** One that spins in the time that others leave: where much is started and killed beside it, its three threads would hold that up. */
  static startYielding(program: string, ...args: string[]): Promise<Checker> {
    return Checker.start('nice', '-n10', program, ...args);
  }

  /** Ends it, and answers what it says of itself: "ok" when nothing was wrong. */
  async verdict(): Promise<string> {
    this.process.kill('SIGTERM');
    await this.#closed;
    return `${this.said.slice(1).join(' ').replace(/ \d+$/, '')}${this.process.signalCode ?? ''}`;
  }

  field(name: string): string | undefined {
    const status = readFileSync(`/proc/${this.identity.pid}/status`, 'latin1');
    return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1];
  }
}
