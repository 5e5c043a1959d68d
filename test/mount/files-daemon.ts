import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { program } from './compiled.js';
import { command, type Ended, eventually } from './fixture.js';

/** `coldpgs mount --simulate` in a process of its own. Only other processes touch its mount. */
export class SimulatingDaemon {
  /** Everything it wrote to stderr, line by line. */
  readonly log: string[] = [];
  readonly #process: ChildProcess;
  readonly ended: Promise<number | NodeJS.Signals>;

  /** Starts one; it is killed after the test if it still runs then. */
  constructor(
    t: Test,
    readonly mountPoint: string,
    options: readonly string[] = [],
    environment: Readonly<Record<string, string>> = {},
  ) {
    const args = [program('coldpgs'), 'mount', mountPoint, '--simulate'];
    const env = { ...process.env, NODE_OPTIONS: '', ...environment };
    // A group of its own, so that supervisor and daemon can be killed together.
    this.#process = spawn(process.execPath, [...args, ...options], {
      env,
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    if (this.#process.stderr) createInterface(this.#process.stderr).on('line', (line) => this.log.push(line));
    // 'close' comes when stderr is read to its end, 'exit' may come before.
    this.ended = new Promise((resolve) => {
      this.#process.on('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'));
    });
    t.teardown(() => this.kill().ended);
  }

  /** Kills supervisor and daemon at once. */
  kill(): this {
    const { pid } = this.#process;
    try {
      if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code !== 'ESRCH') throw failure;
    }
    return this;
  }

  signal(signal: NodeJS.Signals): this {
    this.#process.kill(signal);
    return this;
  }

  /** Resolves when a line of the log has this text. */
  async logged(text: string): Promise<void> {
    await eventually(`the log to say ${text}`, () => this.log.some((line) => line.includes(text)));
  }

  /** Runs a shell script with the mount point as its directory. */
  sh(script: string): Promise<Ended> {
    return command('bash', ['-c', `cd "$1" && {\n${script}\n}`, 'bash', this.mountPoint]);
  }

  /** What the script wrote to stdout; throws when it fails or writes to stderr. */
  async says(script: string): Promise<string> {
    const { status, stdout, stderr } = await this.sh(script);
    if (status !== 0 || stderr !== '') throw new Error(`${script}: ${status} ${stderr}`);
    return stdout;
  }

  /** Writes texts (a character a byte) to files in a process of its own, one after the other. Answers the errno names (OK where taken) and what the files say then. */
  async write(
    writes: readonly { readonly file: string; readonly text: string }[],
  ): Promise<{ errno: string; read: string }[]> {
    const script = `
      const fs = require('node:fs');
      process.chdir(process.argv[1]);
      const results = JSON.parse(fs.readFileSync(0, 'utf8')).map(({ file, text }) => {
        const bytes = Buffer.from(text, 'latin1');
        let errno = 'OK';
        const handle = fs.openSync(file, 'w');
        try {
          if (fs.writeSync(handle, bytes) !== bytes.length) errno = 'short';
        } catch (error) {
          errno = error.code;
        } finally {
          fs.closeSync(handle);
        }
        return { errno, read: fs.readFileSync(file, 'latin1') };
      });
      console.log(JSON.stringify(results));`;
    const stdout = await new Promise<string>((resolve, reject) => {
      const options = { timeout: 30_000, maxBuffer: 2 ** 26 };
      const child = execFile(process.execPath, ['-e', script, this.mountPoint], options, (error, stdout) =>
        error === null ? resolve(stdout) : reject(new Error('the writer failed', { cause: error })),
      );
      child.stdin?.end(JSON.stringify(writes));
    });
    return JSON.parse(stdout) as { errno: string; read: string }[];
  }
}
