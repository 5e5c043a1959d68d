import { readFileSync } from 'node:fs';
import { Engine } from '../engine/engine.js';
import { ColdpgsError, sentenceOf } from '../errors.js';
import { dialects } from '../files/dialect.js';
import { kidledDialects } from '../files/kidled-dialect.js';
import { buildTree } from '../files/layout.js';
import { mountTree } from '../fuse/choose.js';
import { type Clock, systemClock } from '../kernel/clock.js';
import type { Kernel } from '../kernel/kernel.js';
import { createLinuxKernel } from '../kernel/linux/index.js';
import { demoMachine } from '../kernel/simulated/demo.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import { Tree } from '../tree/tree.js';
import { startGuardian } from './guardian.js';
import { overlaid, startAutopilot, type WholeAutopilotStart } from './autopilot-start.js';
import type { LaunchChange } from './launch.js';
import { FileLoanJournal, settleOldLoans } from './loan-journal.js';
import { obstacleOf } from './machine.js';
import { packageVersion } from './package-version.js';
import { SavedAges, sinceBootMs } from './saved-ages.js';
import { SavedState } from './saved-state.js';
import { protectFromOom } from './self-protection.js';
import { engineSettings, type Settings } from './settings.js';
import { StateDir } from './state-dir.js';

const lruGenSwitch = '/sys/kernel/mm/lru_gen/enabled';

/** The life of the process: from the checks before the mount to the last setting given back after it. */
export class Daemon {
  readonly #stopping = new AbortController();
  readonly #clock: Clock = systemClock;
  /** What the autopilot goes by from the start. */
  autopilot: WholeAutopilotStart = overlaid();
  #engine: Engine | undefined;

  constructor(
    private readonly mountPoint: string,
    private readonly settings: Settings,
    private readonly log: Log,
  ) {}

  /** Ends `run` in good order; may be called at any time and more than once. */
  stop(why: string): void {
    if (!this.#stopping.signal.aborted) this.log.info({ why }, 'stopping');
    this.#stopping.abort();
  }

  /** Applies a changed configuration, all or nothing. Throws NO_PRESSURE, BAD_VALUE; then nothing was changed. */
  reconfigure({ scanPeriod, autopilot }: LaunchChange): void {
    if (!this.#engine) return;
    const { autopilot: memcg, compactor } = this.#engine;
    const before = memcg.settings;
    const { overrides } = memcg;
    memcg.change({ settings: autopilot.memcg, ...(autopilot.overrides && { overrides: autopilot.overrides }) });
    try {
      compactor.change(autopilot.compact);
    } catch (failure) {
      memcg.change({ settings: before, overrides });
      throw failure;
    }
    if (scanPeriod !== undefined) this.#engine.setScanPeriod(scanPeriod);
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
      engineSettings(this.settings),
      { write: () => undefined },
      this.log,
    );
    startAutopilot(engine, this.autopilot, this.log);
    await this.#serve(kernel, engine);
    giveBack(engine, this.log);
  }

  async #serveLinux(): Promise<void> {
    const kernel = createLinuxKernel();
    const found = await kernel.capabilities();
    const obstacle = obstacleOf(found);
    if (obstacle) throw obstacle;
    const stateDir = StateDir.claim(this.settings['state-dir']);
    try {
      settleOldLoans(stateDir, kernel.settings, this.log);
      const journal = new FileLoanJournal(stateDir);
      startGuardian(journal.file, this.log);
      const engine = new Engine(kernel, this.#clock, found, engineSettings(this.settings), journal, this.log);
      try {
        if (found.lruGen === 'off') this.#turnLruGenOn(engine);
        engine.capabilities = await kernel.capabilities();
        this.log.info({ ...engine.capabilities }, 'capabilities');
        this.log.info({ memcg: toText(kernel.memcgs.own()) }, 'coldpgs runs in this memcg and does not reclaim it');
        const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
        const state = new SavedState(stateDir.file('state.json'), engine, boot, this.log);
        state.launched = this.autopilot;
        state.load();
        state.start();
        const offsetMs = sinceBootMs() - this.#clock.nowMs();
        const ages = new SavedAges(stateDir.file('ages.json'), engine, boot, offsetMs, this.log);
        ages.load();
        ages.start();
        await this.#serve(kernel, engine);
        state.stop();
        await ages.stop();
      } finally {
        giveBack(engine, this.log);
      }
    } finally {
      stateDir.release();
    }
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

  async #serve(kernel: Kernel, engine: Engine): Promise<void> {
    const [uid = 0, gid = 0] = this.settings.owner.split(':').map(Number);
    const { 'mode-global': global, 'mode-memcg': memcg, dialect, ...others } = this.settings;
    this.#engine = engine;
    let gauges = (): Record<string, number> => ({});
    const root = buildTree({
      engine,
      dialect: dialects[dialect],
      kidledDialect: kidledDialects[this.settings['kidled-dialect']],
      pageBytes: kernel.pageBytes,
      modes: { ...(global !== undefined && { global }), ...(memcg !== undefined && { memcg }) },
      packageVersion: packageVersion(),
      settings: { dialect, ...others },
      gauges: () => gauges(),
      log: this.log,
    });
    const tree = new Tree(
      root,
      { uid, gid },
      {
        log: this.log,
        onFailedWrite: ({ path, sentence }) => engine.problems.report(path, sentence),
      },
    );
    try {
      await engine.start();
      const transport = await mountTree(this.settings.transport, tree, {
        mountPoint: this.mountPoint,
        create: this.mountPoint === '/run/coldpgs',
        log: this.log,
        onGone: () => this.stop('somebody unmounted the tree'),
      });
      gauges = () => ({ ...transport.gauges(), ...tree.outcomes.counts() });
      this.log.info({ mountPoint: transport.mountPoint, transport: transport.name }, 'mounted');
      try {
        await engine.run(this.#stopping.signal);
      } finally {
        await transport.unmount();
        this.log.info({ mountPoint: transport.mountPoint }, 'unmounted');
      }
    } finally {
      await engine.stop();
    }
  }
}

function giveBack(engine: Engine, log: Log): void {
  for (const failure of engine.borrowed.giveBackAll())
    log.error(
      { failure: sentenceOf(failure) },
      'a borrowed setting could not be given back; the next start tries again',
    );
}
