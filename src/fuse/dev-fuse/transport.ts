import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ColdpgsError } from '../../errors.js';
import type { Tree } from '../../tree/tree.js';
import { detach } from '../detach.js';
import { prepareMountPoint } from '../mount-point.js';
import { MountWatch } from '../mount-watch.js';
import { type Mounted, mountedAt } from '../mountinfo.js';
import { requireFuseDevice } from '../requirements.js';
import type { FuseTransport, TransportOptions } from '../transport.js';
import type { Continuity } from './continuity.js';
import { FuseDevice } from './device.js';
import { mountDevice } from './mount.js';
import { Session } from './session.js';

/** Milliseconds that writes in progress have to end once aborted, before the mount goes away under them. */
const WRITES_PATIENCE = 500;

/** Milliseconds in which the kernel begins the conversation. */
const INIT_PATIENCE = 5_000;

export interface DevFuseOptions extends TransportOptions {
  /** A descriptor of /dev/fuse that another process holds as well: opened only, or with the mount that an earlier process served. */
  readonly device?: { readonly descriptor: number; readonly mountedAt?: string | undefined };
  readonly continuity?: Continuity;
}

/** Serves a tree by speaking the FUSE protocol on /dev/fuse. Requests are answered on the main thread, as they come from the event loop. */
export class DevFuseTransport implements FuseTransport {
  readonly name = 'dev-fuse';
  readonly #session: Session;
  #mountPoint: string;
  #device: FuseDevice | undefined;
  #mounted: Mounted | undefined;
  #watch: MountWatch | undefined;
  #ready: () => void = () => undefined;
  #refuse: (reason: ColdpgsError) => void = () => undefined;
  #mounting: Promise<void> | undefined;
  #unmounting: Promise<void> | undefined;

  constructor(
    private readonly tree: Tree,
    private readonly options: DevFuseOptions,
  ) {
    this.#mountPoint = options.device?.mountedAt ?? resolve(options.mountPoint);
    const { log, continuity } = options;
    this.#session = new Session({
      tree,
      log,
      ...(continuity && { continuity }),
      send: (bytes) => this.#device?.send(bytes),
      onReady: () => this.#ready(),
      onTooOld: (version) => this.#refuse(tooOld(version)),
    });
  }

  get mountPoint(): string {
    return this.#mountPoint;
  }

  mount(): Promise<void> {
    const { device } = this.options;
    this.#mounting ??= device?.mountedAt === undefined ? this.#mount() : this.#goOn(device.descriptor);
    return this.#mounting;
  }

  unmount(): Promise<void> {
    this.#unmounting ??= this.#unmount();
    return this.#unmounting;
  }

  get canHandOver(): boolean {
    return this.options.device !== undefined;
  }

  async handOver(patienceMs: number): Promise<void> {
    this.#watch?.stop();
    this.#device?.pause();
    await Promise.race([this.tree.settled(), sleep(patienceMs, undefined, { ref: false })]);
    await Promise.race([this.tree.close(), sleep(WRITES_PATIENCE, undefined, { ref: false })]);
    this.#device?.close();
  }

  gauges(): Record<string, number> {
    return {
      openFiles: this.tree.openFiles,
      writesInProgress: this.tree.writesInProgress,
      ...this.#session.gauges(),
      processesBefore: this.options.continuity?.incarnation ?? 0,
    };
  }

  async #mount(): Promise<void> {
    const { create = false, log } = this.options;
    await requireFuseDevice();
    this.#mountPoint = await prepareMountPoint(this.#mountPoint, create, log);
    const { device } = this.options;
    this.#device = device ? FuseDevice.inherited(device.descriptor) : FuseDevice.open();
    try {
      const answered = new Promise<void>((ready, refuse) => {
        this.#ready = ready;
        this.#refuse = refuse;
      });
      answered.catch(() => undefined);
      await mountDevice(this.#device.descriptor, this.#mountPoint);
      this.#mounted = await mountedAt(this.#mountPoint);
      // Not before: a descriptor without a mount cannot be polled.
      this.#listen(this.#device);
      await Promise.race([
        answered,
        sleep(INIT_PATIENCE, undefined, { ref: false }).then(() => Promise.reject(silent())),
      ]);
    } catch (failure) {
      if (this.#mounted !== undefined) await detach(this.#mounted, 'lazily');
      this.#device.close();
      throw failure;
    }
    this.#watchMount();
  }

  /** Serves a mount that an earlier process served. */
  async #goOn(descriptor: number): Promise<void> {
    this.#mounted = await mountedAt(this.#mountPoint);
    this.#device = FuseDevice.inherited(descriptor);
    this.#watchMount();
    if (!this.#session.resume())
      this.options.log.warn(
        {},
        'this kernel cannot send requests again (before 6.9): what the last process had read gets EIO',
      );
    this.#listen(this.#device);
  }

  #listen(device: FuseDevice): void {
    device.listen({
      onRequest: (buffer, length) => this.#session.handle(buffer, length),
      onClosed: (reason) => {
        this.options.log.debug({ err: reason }, 'the connection of the mount ended');
        this.#watch?.gone();
      },
    });
  }

  #watchMount(): void {
    if (this.#mounted === undefined) return;
    this.#watch = new MountWatch(this.#mounted, this.options.log, this.options.onGone);
  }

  async #unmount(): Promise<void> {
    await this.#mounting?.catch(() => undefined);
    this.#watch?.stop();
    await Promise.race([this.tree.close(), sleep(WRITES_PATIENCE, undefined, { ref: false })]);
    if (this.#mounted !== undefined) await detach(this.#mounted, 'now');
    this.#device?.close();
  }
}

function tooOld(version: string): ColdpgsError {
  const sentence = `This kernel speaks FUSE ${version}; dev-fuse needs 7.31 (Linux 5.4) or later: use --transport fuse-native.`;
  return new ColdpgsError('MOUNT_FAILED', 'ENODEV', sentence);
}

function silent(): ColdpgsError {
  return new ColdpgsError('MOUNT_FAILED', 'EIO', `The kernel did not begin to speak FUSE within ${INIT_PATIENCE} ms.`);
}
