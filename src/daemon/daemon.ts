import { setMaxListeners } from 'node:events';
import { Engine } from '../engine/engine.js';
import { cgroupLayouts } from '../compat/layouts.js';
import { ColdpgsError, sentenceOf } from '../errors.js';
import { dialects } from '../files/dialect.js';
import { kidledDialects } from '../files/kidled-dialect.js';
import { buildTree, memcgFilesBeside, type Surroundings } from '../files/layout.js';
import { mountTree } from '../fuse/choose.js';
import type { FuseTransport } from '../fuse/transport.js';
import { type Clock, systemClock } from '../kernel/clock.js';
import type { Kernel } from '../kernel/kernel.js';
import { createLinuxKernel } from '../kernel/linux/index.js';
import { demoMachine } from '../kernel/simulated/demo.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import { Tree } from '../tree/tree.js';
import type { Checkpoint } from './checkpoint.js';
import { startGuardian } from './guardian.js';
import { launchNote } from './last-launch.js';
import { type Launch, launchChange } from './launch.js';
import { FileLockJournal, settleOldLocks } from './lock-journal.js';
import { FileLoanJournal, settleOldLoans } from './loan-journal.js';
import { obstacleOf } from './machine.js';
import { packageVersion } from './package-version.js';
import { reconfigure } from './reconfigure.js';
import { SavedAges, sinceBootMs } from './saved-ages.js';
import { SavedState } from './saved-state.js';
import { answersFirst, protectFromOom } from './self-protection.js';
import { defaultStateDir, engineSettings, type Settings } from './settings.js';
import { bootId, StateDir } from './state-dir.js';
import { type Supervision, tellSupervisor } from './supervised.js';
import { noteServing, noteSupervisor } from './supervisor-note.js';
import { forgetMount, storeMount } from './systemd.js';

/** Milliseconds that writes in progress have to end before a hand-over interrupts them. */
const HAND_OVER_PATIENCE_MS = 5_000;

const lruGenSwitch = '/sys/kernel/mm/lru_gen/enabled';

/** What a daemon serves, and what is kept of it. */
interface Served {
  readonly engine: Engine;
  readonly state: SavedState;
}

/** The life of the process: from the checks before the mount to the last setting given back after it. */
export class Daemon {
  readonly #stopping = new AbortController();
  readonly #clock: Clock = systemClock;
  private readonly settings: Settings;
  #nowServing: (what: Served) => void = () => undefined;
  readonly #served = new Promise<Served>((resolve) => {
    this.#nowServing = resolve;
  });
  #handingOver = false;

  constructor(
    private readonly mountPoint: string,
    private launch: Launch,
    private readonly log: Log,
    /** What the supervisor told this process; without one the mount ends with it. */
    private readonly supervision?: Supervision,
    private readonly checkpoint?: Checkpoint,
  ) {
    this.settings = launch.settings;
    // The autopilot waits at several memcgs at once.
    setMaxListeners(0, this.#stopping.signal);
  }

  /** Ends `run` in good order; may be called at any time and more than once. */
  stop(why: string): void {
    if (!this.#stopping.signal.aborted) this.log.info({ why }, 'stopping');
    this.#stopping.abort();
  }

  /**
   * Applies a changed launch, all or nothing, and remembers it: gathered when this daemon serves, which may be later. Rejects with BAD_SETTING where the change takes a restart,
   * NO_PRESSURE, BAD_VALUE; then nothing was changed.
   */
  async reconfigure(gather: () => Launch): Promise<void> {
    const { engine, state } = await this.#served;
    const launch = gather();
    const change = launchChange(this.launch, launch);
    reconfigure(engine, change);
    this.launch = launch;
    state.relaunched(launch.autopilot, change);
    this.checkpoint?.keepLaunch(launchNote(launch));
  }

  /** Ends `run` as `stop` does, but leaves the mount to the next daemon where it can be left. */
  handOver(): void {
    this.#handingOver = true;
    this.stop('the mount is handed over');
  }

  /** Mounts, serves until `stop`, and takes everything back. Throws a ColdpgsError when the machine or a setting forbids it. */
  async run(): Promise<void> {
    if (process.geteuid?.() !== 0)
      throw new ColdpgsError(
        'NOT_ROOT',
        'EPERM',
        'coldpgs needs root: it mounts a file system and reclaims memory. Run it with sudo.',
      );
    protectFromOom(this.log);
    if (this.settings.simulate) return this.#serveSimulated();
    await this.#serveLinux();
  }

  async #serveSimulated(): Promise<void> {
    const { kernel } = demoMachine(this.#clock);
    const engine = new Engine(
      kernel,
      this.#clock,
      await kernel.capabilities(),
      engineSettings(this.settings, { file: '', write: () => undefined }),
      { write: () => undefined },
      this.log,
    );
    // What a simulation does is not to be kept, unless somebody names a folder for it.
    const folder = this.settings['state-dir'];
    const stateDir = folder === defaultStateDir ? undefined : StateDir.claim(folder);
    try {
      await this.#serveWithState(kernel, engine, stateDir);
      giveBack(engine, this.log);
    } finally {
      stateDir?.release();
    }
  }

  async #serveLinux(): Promise<void> {
    const kernel = createLinuxKernel();
    const found = await kernel.capabilities();
    const obstacle = obstacleOf(found);
    if (obstacle) throw obstacle;
    const stateDir = StateDir.claim(this.settings['state-dir']);
    try {
      const boot = bootId();
      await settleOldLoans(stateDir, kernel.settings, boot, this.log);
      const journal = new FileLoanJournal(stateDir, boot);
      startGuardian(journal.file, this.log);
      await settleOldLocks(stateDir, kernel.mlock, boot, this.log);
      const settings = engineSettings(this.settings, new FileLockJournal(stateDir, boot));
      const engine = new Engine(kernel, this.#clock, found, settings, journal, this.log);
      try {
        if (found.lruGen === 'off' && !this.supervision?.lastStateOnly) this.#turnLruGenOn(engine);
        engine.capabilities = await kernel.capabilities();
        this.log.info({ ...engine.capabilities }, 'capabilities');
        this.log.info({ memcg: toText(kernel.memcgs.own()) }, 'coldpgs runs in this memcg and does not reclaim it');
        await this.#serveWithState(kernel, engine, stateDir);
      } finally {
        giveBack(engine, this.log);
      }
    } finally {
      stateDir.release();
    }
  }

  async #serveWithState(kernel: Kernel, engine: Engine, stateDir: StateDir | undefined): Promise<void> {
    const { supervision, checkpoint } = this;
    if (checkpoint?.unreadable !== undefined)
      this.log.error(
        { failure: checkpoint.unreadable },
        'what the daemon before this one left cannot be read: the state is that of the last save, and a write that it had begun may be done again',
      );
    const boot = bootId();
    const state = new SavedState(stateDir?.file('state.json'), engine, boot, this.log, () => checkpoint?.save());
    state.autopilot.launched = this.launch.autopilot;
    state.load(checkpoint?.inheritedState);
    checkpoint?.keep(() => state.text());
    // What a run has freed is counted after each step, also for a daemon that is killed before the run ends.
    const root = engine.memcgAt('/');
    if (checkpoint && root) engine.ledger.onChange(root, () => checkpoint.save());
    const offsetMs = sinceBootMs() - this.#clock.nowMs();
    const ages = stateDir && new SavedAges(stateDir.file('ages.json'), engine, boot, offsetMs, this.log);
    ages?.load();
    if (supervision && stateDir) noteSupervisor(stateDir);
    if (supervision?.lastStateOnly) return this.#serve(kernel, { engine, state }, stateDir);
    state.start();
    ages?.start();
    await this.#serve(kernel, { engine, state }, stateDir);
    state.stop();
    await ages?.stop();
  }

  #turnLruGenOn(engine: Engine): void {
    if (this.settings['keep-lru-gen'])
      return this.log.warn({}, 'MgLRU is off and left off (--keep-lru-gen): nothing can be reclaimed until it is on');
    engine.borrowed.borrow(lruGenSwitch, 'y');
    this.log.warn(
      { file: lruGenSwitch },
      'MgLRU was off and is on now, until coldpgs ends; --keep-lru-gen leaves it off',
    );
  }

  async #serve(kernel: Kernel, served: Served, stateDir?: StateDir): Promise<void> {
    const { supervision, checkpoint } = this;
    const { engine } = served;
    const [uid = 0, gid = 0] = this.settings.owner.split(':').map(Number);
    const { 'mode-global': global, 'mode-memcg': memcg, dialect, ...others } = this.settings;
    let gauges = (): Record<string, number> => ({});
    const surroundings: Surroundings = {
      engine,
      dialect: dialects[dialect],
      kidledDialect: kidledDialects[this.settings['kidled-dialect']],
      pageBytes: kernel.pageBytes,
      modes: { ...(global !== undefined && { global }), ...(memcg !== undefined && { memcg }) },
      packageVersion: packageVersion(),
      settings: { dialect, ...others },
      gauges: () => gauges(),
      log: this.log,
    };
    // libfuse does not tell who asks, which moves of processes depend on.
    const layouts =
      kernel.cgroupFiles && this.settings.transport !== 'fuse-native'
        ? cgroupLayouts(kernel.cgroupFiles, memcgFilesBeside(surroundings), kernel.pageBytes)
        : [];
    const tree = new Tree(
      buildTree(surroundings, layouts),
      { uid, gid },
      {
        log: this.log,
        onFailedWrite: ({ path, sentence }) => engine.problems.report(path, sentence),
        incarnation: supervision?.incarnation ?? 0,
        ...(supervision?.lastStateOnly && { refuseWrites: lastStateSentence(supervision) }),
      },
    );
    const { lastStateOnly = false } = supervision ?? {};
    try {
      if (!lastStateOnly) await engine.start();
      const transport = await mountTree(this.settings.transport, tree, {
        mountPoint: this.mountPoint,
        create: this.mountPoint === '/run/coldpgs',
        log: this.log,
        onGone: () => this.stop('somebody unmounted the tree'),
        ...(supervision?.device !== undefined && {
          device: { descriptor: supervision.device, mountedAt: supervision.mountedAt },
        }),
        ...(checkpoint && { continuity: checkpoint }),
      });
      gauges = () => ({ ...transport.gauges(), ...tree.outcomes.counts() });
      this.#tellOfMount(transport);
      checkpoint?.keepLaunch(launchNote(this.launch));
      this.#nowServing(served);
      if (stateDir) noteServing(stateDir);
      engine.onReclaiming = answersFirst(this.log);
      if (transport.canHandOver && supervision?.device !== undefined && supervision.mountedAt === undefined)
        await storeMount(supervision.device, supervision.checkpoint, this.log);
      await this.#work(engine, transport);
      await this.#leave(transport);
    } finally {
      if (!lastStateOnly) await engine.stop();
    }
  }

  #tellOfMount({ mountPoint, name, canHandOver }: FuseTransport): void {
    const { supervision } = this;
    tellSupervisor({ kind: 'mounted', mountPoint, survives: canHandOver });
    if (supervision?.mountedAt === undefined)
      return this.log.info({ mountPoint, transport: name, survives: canHandOver }, 'mounted');
    const { endOfLast, incarnation, lastStateOnly } = supervision;
    const fields = { mountPoint, transport: name, daemonsBefore: incarnation };
    this.log.warn(fields, `the daemon before this one ${endOfLast}; this one goes on with its mount`);
    if (lastStateOnly) this.log.error(fields, lastStateSentence(supervision));
  }

  /** What goes on beside the answering, until the end. What it throws is a crash: the next daemon goes on with the mount, if there is to be one. */
  async #work(engine: Engine, transport: FuseTransport): Promise<void> {
    const { signal } = this.#stopping;
    try {
      if (this.supervision?.lastStateOnly) await aborted(signal);
      else await engine.run(signal);
    } catch (failure) {
      await (transport.canHandOver ? transport.handOver(0) : transport.unmount());
      throw failure;
    }
  }

  async #leave(transport: FuseTransport): Promise<void> {
    if (this.#handingOver && transport.canHandOver) return transport.handOver(HAND_OVER_PATIENCE_MS);
    tellSupervisor({ kind: 'stopping' });
    await transport.unmount();
    await forgetMount(this.log);
    this.log.info({ mountPoint: transport.mountPoint }, 'unmounted');
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function lastStateSentence({ endOfLast }: Supervision): string {
  return `coldpgs died too often within a minute (the last one ${endOfLast}): it shows the last state and takes no writes. See its log for the reason, then run coldpgs reload.`;
}

function giveBack(engine: Engine, log: Log): void {
  for (const failure of engine.borrowed.giveBackAll())
    log.error(
      { failure: sentenceOf(failure) },
      'a borrowed setting could not be given back; the next start tries again',
    );
}
