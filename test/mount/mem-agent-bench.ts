import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { program } from './compiled.js';
import { SimulatingDaemon } from './files-daemon.js';
import { command, type Ended, eventually } from './fixture.js';

export type Half = 'memcg' | 'compact';

/** "never" of compact_force_times. */
const neverTimes = '18446744073709551615';

const documents = new URL('../fixtures/documents/', import.meta.url);

/** The code blocks of a document, as they are written there. */
export function blocksOf(document: 'mem-agent' | 'kata-how-to-use-memory-agent'): string[] {
  return readFileSync(new URL(`${document}.txt`, documents), 'utf8').split('====\n');
}

/** A place where the documents' programs are where the documents have them. */
export class Bench {
  readonly mountPoint: string;
  readonly config: string;
  readonly #programs: string;

  constructor(readonly folder: string) {
    this.mountPoint = join(folder, 'mnt');
    this.config = join(folder, 'configuration.toml');
    this.#programs = join(folder, 'bin');
    const built = join(folder, 'mem-agent/target/debug');
    for (const path of [this.mountPoint, this.#programs, built]) mkdirSync(path, { recursive: true });
    copyFileSync(new URL('configuration.toml', documents), this.config);
    this.#program(this.#programs, 'sudo', 'exec "$@"');
    this.#program(this.#programs, 'coldpgs', `exec ${process.execPath} ${program('coldpgs')} "$@"`);
    this.#program(this.#programs, 'kata-agent-ctl', `exec ${process.execPath} ${program('kata-agent-ctl')} "$@"`);
    this.#program(built, 'mem-agent-ctl', `exec ${process.execPath} ${program('mem-agent-ctl')} "$@"`);
    this.#program(
      built,
      'mem-agent-srv',
      `exec ${process.execPath} ${program('mem-agent-srv')} "$@" --simulate ${this.mountPoint}`,
    );
  }

  /** Runs a block: prompts are none of the shell's, and paths are those of the bench. */
  run(block: string): Promise<Ended> {
    const script = block.replace(/^\$ /gm, '').replace(/^(config_file=).*/m, `$1${this.config}`);
    const folder = block.startsWith('cd mem-agent') ? this.folder : join(this.folder, 'mem-agent');
    return command('bash', [
      '-c',
      `cd '${folder}'; export PATH='${this.#programs}':"$PATH" COLDPGS_MOUNT='${this.mountPoint}' NODE_OPTIONS=; ${script}`,
    ]);
  }

  /** Runs a block that starts a daemon, and ends that when `look` is done. */
  async whileServing(block: string, look: () => Promise<void>): Promise<void> {
    const end = join(this.folder, 'end');
    const running = this.run(
      `${block.trimEnd()} & pid=$!; while kill -0 $pid && ! [ -e '${end}' ]; do sleep 0.1; done; touch '${end}'; kill $pid; wait $pid`,
    );
    await eventually('the mount', () => existsSync(end) || isMounted(this.mountPoint));
    try {
      await look();
    } finally {
      writeFileSync(end, '');
      await running;
    }
  }

  /** Writes a key as hands do. Throws when it is refused. */
  async write(half: Half, key: string, text: string): Promise<void> {
    const { stderr } = await this.run(`echo ${text} > ${this.mountPoint}/sys/kernel/mm/mem_agent/${half}/${key}`);
    if (stderr !== '') throw new Error(stderr);
  }

  read(half: Half, key: string): Promise<string> {
    return command('cat', [`${this.mountPoint}/sys/kernel/mm/mem_agent/${half}/${key}`]).then(({ stdout }) =>
      stdout.trim(),
    );
  }

  async settings(half: Half): Promise<Record<string, unknown>> {
    return JSON.parse(await this.read(half, 'settings')) as Record<string, unknown>;
  }

  /** All keys as they are written: the largest numbers are none of ours. */
  async texts(half: Half): Promise<Record<string, string>> {
    return textsIn(await this.read(half, 'settings'));
  }

  #program(folder: string, name: string, script: string): void {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
}

/** Keys and values of JSON without nesting, the values as they are written. */
export function textsIn(json: string): Record<string, string> {
  return Object.fromEntries(Array.from(json.matchAll(/"(\w+)":([\w.]+)/g), ([, key = '', value = '']) => [key, value]));
}

/** Another value that the key takes as well. */
export function otherThan(value: string): string {
  if (value === 'true' || value === 'false') return String(value === 'false');
  return value === neverTimes ? '7' : String(Number(value) + 1);
}

/** A daemon over a simulated machine, mounted where the bench's programs look for it. */
export async function daemonAt(t: Test, bench: Bench, options: readonly string[] = []): Promise<SimulatingDaemon> {
  const daemon = new SimulatingDaemon(t, bench.mountPoint, options);
  await daemon.logged('mounted');
  return daemon;
}

export function isMounted(mountPoint: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${mountPoint} `);
}
