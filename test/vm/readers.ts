import { type ChildProcess, spawn } from 'node:child_process';
import { eventually } from './eventually.js';
import { killAtExit } from './left-behind.js';

/** Opens a file, reads it line by line to its end, and tells of each time on stdout, again and again. */
const script = `
  trap 'exit 0' TERM
  while :; do
    lines=0
    while IFS= read -r line; do lines=$((lines + 1)); done <"$0"
    echo "$lines"
  done`;

/** Shells that read a file over and over, and what they complain of. */
export class Readers {
  readonly #processes: readonly ChildProcess[];
  readonly #reads: number[];
  /** All that they wrote to stderr. */
  complaints = '';
  /** How many lines a read had: all of them the same where none was cut off. */
  readonly lineCounts = new Set<string>();

  private constructor(count: number, file: string) {
    this.#reads = Array.from({ length: count }, () => 0);
    this.#processes = this.#reads.map((_, reader) => {
      const shell = spawn('bash', ['-c', script, file], { stdio: ['ignore', 'pipe', 'pipe'] });
      shell.stdout.setEncoding('latin1').on('data', (text: string) => {
        const told = text.split('\n').filter((lines) => lines !== '');
        this.#reads[reader] = (this.#reads[reader] ?? 0) + told.length;
        told.forEach((lines) => this.lineCounts.add(lines));
      });
      shell.stderr.setEncoding('latin1').on('data', (text: string) => (this.complaints += text));
      killAtExit(() => shell.kill('SIGKILL'));
      return shell;
    });
  }

  static start(count: number, file: string): Readers {
    return new Readers(count, file);
  }

  /** How often all of them have read the file. */
  get rounds(): number {
    return this.#reads.reduce((sum, reads) => sum + reads, 0);
  }

  /** Resolves when each has read the file three times more. */
  async haveReadOn(): Promise<void> {
    const before = [...this.#reads];
    await eventually('all readers to read on', () =>
      this.#reads.every((reads, reader) => reads >= (before[reader] ?? 0) + 3),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#processes.map((shell) => {
        const ended = new Promise((resolve) => shell.on('close', resolve));
        shell.kill('SIGTERM');
        return ended;
      }),
    );
  }
}
