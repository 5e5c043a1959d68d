import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { LockedMappingParser } from '../locked-mappings.js';
import type { LockChange, LockChangeOutcome, LockedMemory, MlockInterface } from '../mlock.js';
import { presentPagesIn, type AddressRange } from '../pagemap.js';
import { readPieces, readText } from './kernel-file.js';
import { identityIn } from './mlock/suitability.js';
import { machineOf } from './mlock/machines.js';
import { readPagemap } from './pagemap.js';
import type { KernelPaths } from './paths.js';
import { isGone, kernelRefused } from './refusal.js';

/**
 * Starts a process for each line it reads, which makes the change of locks that the line says and prints its outcome. A shell of its own, started before the mount: a
 * child of the daemon itself would inherit /dev/fuse. When its input ends, however that came, it has locked again what the journal says.
 */
const script = `
trap '' INT TERM HUP PIPE
while read -r change; do
  "$1" "$2" "$change" 2> /dev/null
  echo "ended $?"
done
[ -e "$3" ] && exec "$1" "$2" --settle "$3"
`;

/** A shell says so of a process that SIGALRM ended: the one that it traced did not stop. */
const ENDED_BY_ALARM = 128 + 14;
/** One argument of a program has room for 128 KiB. */
const RANGES_AT_ONCE = 1000;

const changerScript = fileURLToPath(new URL('./mlock/lock-changer.js', import.meta.url));

export class LinuxMlock implements MlockInterface {
  #starter: ChildProcess | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #onLine: (line: string) => void = () => undefined;

  constructor(
    private readonly paths: Pick<KernelPaths, 'smaps' | 'pagemap' | 'process'>,
    private readonly pageBytes: number,
    private readonly changer = changerScript,
  ) {}

  obstacle(): string | undefined {
    if (machineOf() === undefined)
      return `coldpgs knows how to do that on x86-64 and arm64 only, and this is ${process.arch}`;
    try {
      createRequire(import.meta.url).resolve('koffi');
      return undefined;
    } catch {
      return 'the package koffi is not installed: npm install --include=optional';
    }
  }

  prepare(journal: string): void {
    const starter = spawn('/bin/sh', ['-c', script, 'coldpgs-mlock', process.execPath, this.changer, journal], {
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { LC_ALL: 'C', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      cwd: '/',
    });
    this.#starter = starter;
    const gone = (): void => {
      if (this.#starter === starter) this.#starter = undefined;
      this.#onLine('ended by itself');
    };
    starter.on('error', gone).on('exit', gone);
    starter.stdin.on('error', () => undefined);
    createInterface(starter.stdout).on('line', (line) => this.#onLine(line));
    starter.unref();
    for (const pipe of [starter.stdin, starter.stdout]) (pipe as unknown as { unref?(): void }).unref?.();
  }

  close(): void {
    this.#starter?.stdin?.end();
    this.#starter = undefined;
  }

  async lockedMemory(pid: number): Promise<LockedMemory | undefined> {
    try {
      // smaps costs a walk over all page tables; most processes have nothing locked.
      if (!/^VmLck:\s+[1-9]/m.test(await readText(this.paths.process(pid, 'status')))) return undefined;
      const identity = identityIn(pid, await readText(this.paths.process(pid, 'stat')));
      const parser = new LockedMappingParser();
      for await (const piece of readPieces(this.paths.smaps(pid))) parser.push(piece);
      const ranges = parser.end();
      return identity && ranges.length > 0 ? { identity, ranges } : undefined;
    } catch (error) {
      if (isGone(error)) return undefined;
      throw kernelRefused(`Cannot see what process ${pid} has locked.`, error);
    }
  }

  async presentBytes(pid: number, ranges: readonly AddressRange[]): Promise<number> {
    let pages = 0;
    try {
      for await (const { entries } of readPagemap(this.paths.pagemap(pid), ranges, this.pageBytes))
        pages += presentPagesIn(entries);
    } catch (error) {
      if (!isGone(error)) throw kernelRefused(`Cannot see what process ${pid} has in memory.`, error);
    }
    return pages * this.pageBytes;
  }

  change(change: LockChange): Promise<LockChangeOutcome> {
    const turn = this.#last.then(() => this.#changeInParts(change));
    this.#last = turn;
    return turn;
  }

  /** By a process of its own: it may be that this one has not prepared anything. */
  settle(journal: string): Promise<void> {
    return new Promise((resolve) => {
      const settler = spawn(process.execPath, [this.changer, '--settle', journal], { cwd: '/', stdio: 'ignore' });
      settler.on('error', () => resolve()).on('exit', () => resolve());
    });
  }

  async #changeInParts(change: LockChange): Promise<LockChangeOutcome> {
    const whole = { changedBytes: 0, stopsMs: [] as number[], refusal: undefined as string | undefined };
    for (let first = 0; first < change.ranges.length && whole.refusal === undefined; first += RANGES_AT_ONCE) {
      const part = { ...change, ranges: change.ranges.slice(first, first + RANGES_AT_ONCE) };
      const { changedBytes, stopsMs, refusal } = await this.#changeNow(part);
      whole.changedBytes += changedBytes;
      whole.stopsMs.push(...stopsMs);
      whole.refusal = refusal;
    }
    return whole;
  }

  #changeNow(change: LockChange): Promise<LockChangeOutcome> {
    const nothing = (refusal: string): LockChangeOutcome => ({ changedBytes: 0, stopsMs: [], refusal });
    const { stdin } = this.#starter ?? {};
    if (!stdin) return Promise.resolve(nothing('no process can be started to trace it'));
    return new Promise((resolve) => {
      let outcome: LockChangeOutcome | undefined;
      this.#onLine = (line) => {
        if (!line.startsWith('ended')) return void (outcome = JSON.parse(line) as LockChangeOutcome);
        this.#onLine = () => undefined;
        resolve(outcome ?? nothing(whyNothing(line)));
      };
      stdin.write(`${JSON.stringify(change)}\n`);
    });
  }
}

function whyNothing(line: string): string {
  return line === `ended ${ENDED_BY_ALARM}` ? 'its main thread does not stop' : `what traces it failed (${line})`;
}
