import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.js';
import { parseIdlePageStats } from './idle-page-stats.js';
import { killAtExit } from './left-behind.js';
import type { Memcg } from './memcg.js';
import { mountsAt } from './mounts.js';
import { cat, echo, read, sh } from './shell.js';

export interface DaemonOptions {
  /** Length of a scan period, whole seconds. */
  readonly periodMs?: number;
  /** What watching may cost, in percent of a processor; 100 unless a test is about it, for an emulated machine is slow. */
  readonly scanCpuPercent?: number;
  /** Command line options, such as `--dialect doc`. */
  readonly options?: readonly string[];
  /** The folders of a daemon before it, which it takes over. */
  readonly after?: Daemon;
  /** The memcg to run in, else the test's. */
  readonly memcg?: Memcg;
}

/** Length of a scan period here unless a test says otherwise: as short as it can be set. */
export const periodMs = 1000;

/** A `coldpgs mount` in processes of its own (supervisor, daemon, guardian), with a mount point and a state folder of its own. */
export class Daemon {
  readonly mountPoint: string;
  readonly stateFolder: string;
  readonly ended: Promise<number | string>;
  readonly #process: ChildProcess;
  #log = '';

  private constructor({ options = [], after, memcg, ...others }: DaemonOptions) {
    this.mountPoint = after?.mountPoint ?? mkdtempSync(join(tmpdir(), 'coldpgs-mount-'));
    this.stateFolder = after?.stateFolder ?? mkdtempSync(join(tmpdir(), 'coldpgs-state-'));
    const args = [
      ...['mount', this.mountPoint, '--scan-period', String((others.periodMs ?? periodMs) / 1000)],
      ...['--state-dir', this.stateFolder, '--log-level', 'debug'],
      ...['--scan-cpu-percent', String(others.scanCpuPercent ?? 100), ...options],
    ];
    const enter = memcg ? `echo $$ > '${memcg.file('cgroup.procs')}' && ` : '';
    // A group of its own, so that supervisor and daemon can be killed together.
    this.#process = spawn('sh', ['-c', `${enter}exec coldpgs "$@"`, 'sh', ...args], {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    killAtExit(() => this.hasEnded || this.kill('SIGKILL'));
    this.ended = new Promise((resolve) =>
      this.#process.on('close', (code, signal) => resolve(code ?? signal ?? 'unknown')),
    );
  }

  /** Starts one and resolves when its tree is mounted. Rejects with its log when it ends instead. */
  static async start(options: DaemonOptions = {}): Promise<Daemon> {
    const daemon = Daemon.launch(options);
    try {
      await eventually('coldpgs to mount', () => {
        if (daemon.hasEnded) throw new Error(`coldpgs ended: ${daemon.log}`);
        return daemon.hasLogged('mounted');
      });
    } catch (failure) {
      await daemon.remove();
      throw failure;
    }
    return daemon;
  }

  /** Starts one that may not come as far as to mount. */
  static launch(options: DaemonOptions = {}): Daemon {
    return new Daemon(options);
  }

  /** The process that serves, not its supervisor. */
  get servingPid(): number {
    return parseInt(readFileSync(join(this.stateFolder, 'daemon'), 'utf8'), 10);
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** All that it wrote to standard error. */
  get log(): string {
    return this.#log;
  }

  hasLogged(message: string): boolean {
    return this.#log.includes(`"msg":"${message}`);
  }

  /** A file of sys/kernel/mm/coldpgs. */
  globalFile(name: string): string {
    return `${this.mountPoint}/sys/kernel/mm/coldpgs/${name}`;
  }

  /** A file of sys/kernel/mm/kidled. */
  kidledFile(name: string): string {
    return `${this.mountPoint}/sys/kernel/mm/kidled/${name}`;
  }

  /** memory.idle_page_stats of a memcg. */
  idlePageStatsFile(memcg: Memcg | { readonly path: string }): string {
    return `${this.mountPoint}/sys/fs/cgroup${memcg.path}/memory.idle_page_stats`;
  }

  /** A memory.coldpgs.* file of a memcg. */
  memcgFile(memcg: Memcg | { readonly path: string }, name: string): string {
    return `${this.mountPoint}/sys/fs/cgroup${memcg.path}/memory.coldpgs.${name}`;
  }

  /** What coldpgs/errors says. */
  async errors(): Promise<string> {
    return cat(`${this.mountPoint}/coldpgs/errors`);
  }

  /**
   * Resolves when page cache that is in the memcg now and stays unused may go by a threshold of 1 period: besides the memcg being cold, a look that began after this call is
   * a period old. On a slow machine looks are further apart than agings.
   */
  async cold(memcg: Memcg): Promise<void> {
    const before = await this.#looksAt(memcg);
    await memcg.cold();
    // One may have been under way, the next one saw all of it, and the one after that comes a period later.
    await this.#looksReach(memcg, before + 3);
  }

  /** Resolves when the next look at the memcg has ended. */
  async lookedAt(memcg: Memcg): Promise<void> {
    await this.#looksReach(memcg, (await this.#looksAt(memcg)) + 1);
  }

  async #looksAt(memcg: Memcg): Promise<number> {
    return parseIdlePageStats(await read(this.idlePageStatsFile(memcg))).pageScans;
  }

  async #looksReach(memcg: Memcg, count: number): Promise<void> {
    await eventually(`looks at ${memcg.path}`, async () => (await this.#looksAt(memcg)) >= count);
  }

  /** Lets a memcg grow cold and reclaims all of it. Rejects with what coldpgs/errors says of the memcg, if it says something. */
  async reclaimCold(memcg: Memcg, mode: 1 | 2 | 3): Promise<void> {
    await this.cold(memcg);
    await echo(mode, this.globalFile('mode'));
    await echo(1, this.memcgFile(memcg, 'threshold'));
    await echo(1_000_000_000, this.memcgFile(memcg, 'size'));
    const about = (await this.errors()).split('\n').filter((line) => line.includes(` ${memcg.path}: `));
    if (about.length > 0) throw new Error(about.join('\n'));
  }

  /** The rows of memory.coldpgs.stats by name, in the unit of the dialect. */
  async stats(memcg: Memcg): Promise<Map<string, number>> {
    const text = await cat(this.memcgFile(memcg, 'stats'));
    return new Map(
      text
        .trimEnd()
        .split('\n')
        .map((line) => {
          const [name = '', value = ''] = line.split(':');
          return [name.trim(), parseInt(value, 10)];
        }),
    );
  }

  /** SIGKILL goes to supervisor and daemon at once; every other signal to the supervisor, as from a service manager or a terminal. */
  kill(signal: NodeJS.Signals): void {
    if (signal === 'SIGKILL') process.kill(-(this.#process.pid ?? 0), signal);
    else this.#process.kill(signal);
  }

  /** Ends it with a signal; resolves to its exit code, or the signal if that ended it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    if (!this.hasEnded) this.kill(signal);
    return this.ended;
  }

  /** Ends it for good and leaves nothing behind, whatever state it is in. */
  async remove(): Promise<void> {
    if (!this.hasEnded) {
      this.kill('SIGTERM');
      await eventually('coldpgs to end', () => this.hasEnded, 20_000).catch(() => this.kill('SIGKILL'));
    }
    await this.ended;
    while (this.isMounted()) {
      const { status, stderr } = await sh('umount -l "$MOUNT"', { MOUNT: this.mountPoint });
      if (status !== 0) throw new Error(stderr);
    }
    await eventually(
      'the guardian to settle the loans',
      () => !readdirSync(this.stateFolder).some((name) => name.startsWith('loans.')),
    );
    for (const folder of [this.mountPoint, this.stateFolder]) rmSync(folder, { recursive: true, force: true });
  }

  isMounted(): boolean {
    return mountsAt(this.mountPoint).length > 0;
  }
}
