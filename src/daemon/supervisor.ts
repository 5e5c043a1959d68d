import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mountedAt, OUR_TYPE } from '../fuse/mountinfo.js';
import { noteMount, type StoredMount, storedMount } from './descriptor-store.js';
import { defaultRestartPolicy, restartAfter } from './restart-policy.js';
import { type DaemonMessage, type Supervision, supervisionVariable, type SupervisorMessage } from './supervised.js';

/** Milliseconds that a daemon has to hand its mount over before it is killed. */
const HAND_OVER_PATIENCE_MS = 15_000;

const DEVICE = 3;
const CHECKPOINT = 4;

/**
 * The parent of the daemon: holds the descriptor of /dev/fuse and the checkpoint, so that the mount survives the daemon, and starts the next daemon when one
 * dies. Imports next to nothing: what it does not load cannot fail, and costs no memory. What it has to say the next daemon writes to the log.
 */
export class Supervisor {
  #device: number | undefined;
  #checkpoint = -1;
  readonly #crashesAtMs: number[] = [];
  #daemon: ChildProcess | undefined;
  #mountPoint: string | undefined;
  #incarnation = 0;
  #handingOver: NodeJS.Timeout | undefined;
  #meant = false;
  /** The daemon of this moment answers. */
  #serving = false;
  /** SIGHUP came while none did. */
  #hungUp = false;
  #end: (code: number) => void = () => undefined;

  /** `command` starts a daemon: a program and its arguments. */
  constructor(
    private readonly command: readonly [string, ...string[]],
    private readonly policy = defaultRestartPolicy,
    /** What systemd kept of a mount whose supervisor was killed. */
    private readonly stored: StoredMount | undefined = storedMount(),
  ) {}

  /** Starts the daemon, and starts it anew until one ends because it was meant to, or before it mounted. Resolves with that one's exit code. */
  async run(): Promise<number> {
    protectFromOom();
    const { stored } = this;
    const goesOn = stored !== undefined && (await mountedAt(stored.mountPoint))?.type === OUR_TYPE;
    this.#device = goesOn ? stored.device : openDevice();
    this.#checkpoint = goesOn ? stored.checkpoint : anonymousFile();
    if (goesOn) {
      this.#mountPoint = stored.mountPoint;
      this.#incarnation = stored.incarnation;
    }
    return new Promise((resolve) => {
      this.#end = resolve;
      this.#start({ lastStateOnly: false, ...(goesOn && { endOfLast: 'was killed with its supervisor' }) });
    });
  }

  /** Ends the daemon in good order, and with it `run`. */
  stop(): void {
    this.#meant = true;
    if (this.#daemon === undefined) void this.#detach().then(() => this.#end(0));
    else this.#daemon.kill('SIGTERM');
  }

  /**
   * Hands SIGHUP on to the daemon, which knows whether it has a configuration to read again. One that starts would die of it before it can hear it, or has
   * read the file already: it is told when it serves.
   */
  hangUp(): void {
    if (this.#serving) this.#daemon?.kill('SIGHUP');
    else this.#hungUp = true;
  }

  /** Replaces the daemon by a new one, with the code that is on disk now; the mount stays. */
  reload(): void {
    if (this.#daemon === undefined || this.#mountPoint === undefined || this.#handingOver !== undefined) return;
    const { pid } = this.#daemon;
    this.#handingOver = setTimeout(() => pid !== undefined && process.kill(pid, 'SIGKILL'), HAND_OVER_PATIENCE_MS);
    this.#daemon.send({ kind: 'hand over' } satisfies SupervisorMessage, () => undefined);
  }

  #start(how: Pick<Supervision, 'lastStateOnly' | 'endOfLast'>): void {
    const told: Supervision = {
      ...(this.#device !== undefined && { device: DEVICE }),
      checkpoint: CHECKPOINT,
      ...(this.#mountPoint !== undefined && { mountedAt: this.#mountPoint }),
      incarnation: this.#incarnation++,
      ...how,
    };
    this.#noteMount();
    const [program, ...args] = this.command;
    this.#daemon = spawn(program, args, {
      env: { ...process.env, [supervisionVariable]: JSON.stringify(told) },
      stdio: ['inherit', 'inherit', 'inherit', this.#device ?? 'ignore', this.#checkpoint, 'ipc'],
    });
    this.#daemon.on('message', (message: DaemonMessage) => this.#heard(message));
    this.#daemon.on('error', (failure) => this.#ended(`could not be started: ${failure.message}`, 1));
    this.#daemon.on('exit', (code, signal) => {
      this.#ended(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`, code);
    });
  }

  #heard(message: DaemonMessage): void {
    if (message.kind === 'stopping') this.#meant = true;
    else {
      this.#serving = true;
      if (message.survives) {
        this.#mountPoint = message.mountPoint;
        this.#noteMount();
      } else if (this.#device !== undefined) closeSync(this.#device);
      if (this.#hungUp) this.hangUp();
      this.#hungUp = false;
    }
  }

  /** For a supervisor to come, should systemd keep both descriptors. */
  #noteMount(): void {
    if (this.#mountPoint !== undefined) noteMount(this.#checkpoint, this.#mountPoint, this.#incarnation);
  }

  /** `code` is null for a daemon that was ended by a signal. */
  #ended(how: string, code: number | null): void {
    if (this.#daemon === undefined) return;
    this.#daemon = undefined;
    this.#serving = false;
    clearTimeout(this.#handingOver);
    const handedOver = this.#handingOver !== undefined;
    this.#handingOver = undefined;
    // Before it mounted: there is nothing to go on with, and it has said why.
    if (this.#mountPoint === undefined) return this.#end(code ?? 1);
    if (this.#meant && code === 0) return this.#end(0);
    if (this.#meant) return void this.#detach().then(() => this.#end(code ?? 0));
    if (handedOver) {
      this.#crashesAtMs.length = 0;
      return this.#start({ lastStateOnly: false, endOfLast: code === 0 ? 'handed the mount over' : how });
    }
    this.#crashesAtMs.push(performance.now());
    const { delayMs, lastStateOnly } = restartAfter(this.#crashesAtMs, this.policy);
    setTimeout(() => {
      if (!this.#meant) this.#start({ lastStateOnly, endOfLast: how });
    }, delayMs);
  }

  /** Takes the mount away where no daemon came to it. Through a command: this process must never touch the mount. */
  #detach(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#mountPoint === undefined) return resolve();
      const umount = spawn('umount', ['-l', this.#mountPoint], { cwd: '/', stdio: 'ignore' });
      umount.on('error', () => resolve()).on('exit', () => resolve());
    });
  }
}

/** Without the right to it there is nothing to say here: the daemon says it. */
function protectFromOom(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '-1000');
  } catch {
    return;
  }
}

/** Undefined where it cannot be opened: the daemon says why. */
function openDevice(): number | undefined {
  try {
    return openSync('/dev/fuse', constants.O_RDWR | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

/** A file that only this process and its daemons can reach, in memory where that is possible. */
function anonymousFile(): number {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'coldpgs-'));
  try {
    return openSync(join(folder, 'checkpoint'), 'wx+', 0o600);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
