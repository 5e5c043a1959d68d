import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';
import { compiled } from './compiled.js';
import { transports } from './transports.js';

/** A line that the demo server said. */
export interface Said {
  readonly event: string;
  readonly [detail: string]: unknown;
}

export interface Ended {
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Milliseconds that anything here may take before the test gives it up: seconds on an idle machine, many times that beside VMs. */
const PATIENCE = 120_000;

/** Runs `tests` once for every transport; skips, and says why, where FUSE cannot be mounted. */
export function conformance(tests: (t: Test, transport: string) => Promise<void>): void {
  const skip = reasonToSkip();
  for (const transport of Object.keys(transports)) void t.test(transport, { skip }, (t) => tests(t, transport));
}

/** Why nothing can be mounted here, or false. */
export function reasonToSkip(): string | false {
  if (process.geteuid?.() !== 0) return 'mounting needs root';
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return false;
  } catch {
    return 'there is no /dev/fuse';
  }
}

/** An empty folder anybody may enter, removed after the test; what is mounted on it is detached then. */
export async function temporaryFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'coldpgs-test-'));
  await chmod(folder, 0o755);
  t.teardown(async () => {
    for (const mounted of await mountsBelow(folder)) await command('umount', ['-l', mounted]);
    await rm(folder, { recursive: true });
  });
  return folder;
}

/** The mount points at and below a folder, the last mounted first. */
export async function mountsBelow(folder: string): Promise<string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'latin1')).split('\n');
  const mountPoints = lines.flatMap((line) => line.split(' ')[4] ?? []);
  return mountPoints.filter((mountPoint) => mountPoint.startsWith(folder)).reverse();
}

/** Runs a command. One that does not end in time is killed and gets the status "timeout"; never rejects, so that no forgotten promise ends the test. */
export function command(file: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { ...process.env, LC_ALL: 'C', NODE_OPTIONS: '' };
    execFile(file, args, { cwd: '/', env, timeout: PATIENCE, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const status = error === null ? 0 : error.killed ? 'timeout' : (error.code ?? error.signal ?? 'unknown');
      resolve({ status, stdout, stderr });
    });
  });
}

/** A demo server in a process of its own. Only other processes touch its mount; the test itself never does. */
export class DemoServer {
  readonly #said: Said[] = [];
  readonly #process: ChildProcess;
  readonly ended: Promise<number | NodeJS.Signals>;

  /** Starts one; it is killed after the test if it still runs then. */
  constructor(
    t: Test,
    transport: string,
    readonly mountPoint: string,
    create?: 'create',
    script = 'demo-server.ts',
  ) {
    const args = [compiled(`test/mount/${script}`), transport, mountPoint];
    const env = { ...process.env, NODE_OPTIONS: '' };
    this.#process = spawn(process.execPath, [...args, create ?? ''], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.ended = new Promise((resolve) => {
      this.#process.on('exit', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'));
    });
    if (this.#process.stdout !== null)
      createInterface(this.#process.stdout).on('line', (line) => this.#said.push(JSON.parse(line) as Said));
    t.teardown(() => this.signal('SIGKILL').ended);
  }

  /** Everything it said so far. */
  get said(): readonly Said[] {
    return this.#said;
  }

  /** The process that serves, which is another one than ours where that is a supervisor. */
  get serverPid(): number {
    return Number(this.#said.findLast(({ event }) => event === 'ready')?.['pid']);
  }

  signal(signal: NodeJS.Signals): this {
    this.#process.kill(signal);
    return this;
  }

  /** The first line of that event, waiting for it. */
  async heard(event: string): Promise<Said> {
    return await eventually(`the server to say ${event}`, () => this.#said.find((said) => said.event === event));
  }

  /** Resolves when the gauges of the transport have these values. */
  async gaugesShow(values: Record<string, number>): Promise<void> {
    await eventually(`gauges to show ${JSON.stringify(values)}`, () => {
      process.kill(this.serverPid, 'SIGUSR2');
      const last = this.#said.findLast(({ event }) => event === 'gauges');
      return last !== undefined && Object.entries(values).every(([name, value]) => last[name] === value);
    });
  }

  /** Runs a shell script with the mount point as its directory. */
  sh(script: string): Promise<Ended> {
    return command('bash', ['-c', inMount(script), 'bash', this.mountPoint]);
  }

  /** Starts a shell script that prints a line when it is so far, waits for that, and leaves it running; it is killed after the test. */
  async inBackground(t: Test, script: string): Promise<void> {
    const child = spawn('bash', ['-c', inMount(script), 'bash', this.mountPoint], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
  }

  /** What the script wrote to stdout; throws when it fails or writes to stderr. */
  async says(script: string): Promise<string> {
    const { status, stdout, stderr } = await this.sh(script);
    if (status !== 0 || stderr !== '') throw new Error(`${script}: ${status} ${stderr}`);
    return stdout;
  }

  /** Runs JavaScript in a Node of its own, with the mount point as its directory and `fs` at hand, and returns what it gave to `print()`. */
  async node(script: string): Promise<unknown> {
    const prelude = `process.chdir(process.argv[1]); const fs = require('node:fs'); const print = (value) => console.log(JSON.stringify(value));`;
    const args = ['-e', `${prelude}\n${script}`, this.mountPoint];
    const { status, stdout, stderr } = await command(process.execPath, args);
    if (status !== 0 || stderr !== '') throw new Error(`${script}: ${status} ${stderr}`);
    return JSON.parse(stdout);
  }
}

function inMount(script: string): string {
  return `cd "$1" && {\n${script}\n}`;
}

/** A demo server under a supervisor that is mounted in a new folder. */
export async function serveSupervised(t: Test): Promise<DemoServer> {
  const script = 'supervised-demo-server.ts';
  const server = new DemoServer(t, 'dev-fuse', await temporaryFolder(t), undefined, script);
  // Before the supervisor is killed: it would leave the server behind.
  t.teardown(() => server.signal('SIGTERM').ended);
  await server.heard('ready');
  return server;
}

/** A demo server that is mounted in a new folder. */
export async function serve(t: Test, transport: string): Promise<DemoServer> {
  const server = new DemoServer(t, transport, await temporaryFolder(t));
  await server.heard('ready');
  return server;
}

/** What `look` finds, as soon as that is not undefined or false; rejects after a while. */
export async function eventually<Found>(what: string, look: () => Promise<Found> | Found): Promise<NonNullable<Found>> {
  for (const end = Date.now() + PATIENCE; Date.now() < end; await sleep(20)) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
  }
  throw new Error(`waited in vain for ${what}`);
}
