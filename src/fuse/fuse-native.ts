import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type Fuse from 'fuse-native';
import { ColdpgsError } from '../errors.js';
import type { Tree } from '../tree/tree.js';
import { detach } from './detach.js';
import { handlersFor } from './handlers.js';
import { prepareMountPoint } from './mount-point.js';
import { MountWatch } from './mount-watch.js';
import { type Mounted, mountedAt } from './mountinfo.js';
import { loadFuseNative, requireFuseDevice } from './requirements.js';
import type { FuseTransport, TransportOptions } from './transport.js';

/** Milliseconds that writes in progress have to end once aborted, before the mount goes away under them. */
const WRITES_PATIENCE = 500;

/**
 * direct_io: every read and write reaches us, none is answered from the page cache. big_writes: a write(2) of more than 4096 bytes arrives whole,
 * to be refused, instead of in parts that are applied. use_ino: inode numbers are the tree's. nonempty: libfuse would refuse a lone .gitkeep.
 * The timeouts are how long what has been removed can still be seen; what is new shows at once. max_background: RELEASE is a background request; the usual 12 at a time
 * let many clients open files faster than they are closed.
 */
const MOUNT_OPTIONS = [
  'fsname=coldpgs',
  'subtype=coldpgs',
  'allow_other',
  'default_permissions',
  'direct_io',
  'atomic_o_trunc',
  'big_writes',
  'use_ino',
  'nonempty',
  'entry_timeout=0.5',
  'attr_timeout=0.5',
  'max_background=65535',
  'congestion_threshold=65535',
];

/** Serves a tree through libfuse 2 and the fuse-native package. Requests are answered on the main thread. */
export class FuseNativeTransport implements FuseTransport {
  readonly name = 'fuse-native';
  /** libfuse opens the device itself, and knows no other process's nodes. */
  readonly canHandOver = false;
  #mountPoint: string;
  #fuse: Fuse | undefined;
  #mounted: Mounted | undefined;
  #watch: MountWatch | undefined;
  #mounting: Promise<void> | undefined;
  #unmounting: Promise<void> | undefined;

  constructor(
    private readonly tree: Tree,
    private readonly options: TransportOptions,
  ) {
    this.#mountPoint = resolve(options.mountPoint);
  }

  get mountPoint(): string {
    return this.#mountPoint;
  }

  mount(): Promise<void> {
    this.#mounting ??= this.#mount();
    return this.#mounting;
  }

  unmount(): Promise<void> {
    this.#unmounting ??= this.#unmount();
    return this.#unmounting;
  }

  handOver(): Promise<void> {
    return this.unmount();
  }

  gauges(): Record<string, number> {
    return {
      openFiles: this.tree.openFiles,
      writesInProgress: this.tree.writesInProgress,
      threadsEverStarted: this.#fuse?._threads?.size ?? 0,
    };
  }

  async #mount(): Promise<void> {
    const { create = false, log } = this.options;
    await requireFuseDevice();
    const FuseNative = await loadFuseNative();
    this.#mountPoint = await prepareMountPoint(this.#mountPoint, create, log);
    // No request is given up: all but writes are answered at once, and a write may take as long as the reclaim it asks for.
    const fuse = new FuseNative(this.#mountPoint, handlersFor(this.tree, log), { timeout: false });
    // The package takes few options and drops the others; libfuse takes them all.
    if (typeof fuse._fuseOptions !== 'function') throw notTheVersion();
    fuse._fuseOptions = () => `-o${MOUNT_OPTIONS.join(',')}`;
    // The package would run a shell and `fusermount`.
    FuseNative.unmount = (_mountPoint, done) => done();

    await finished((done) => fuse.mount(done)).catch((error: unknown) => {
      throw mountFailure(this.#mountPoint, error);
    });
    this.#fuse = fuse;
    this.#mounted = await mountedAt(this.#mountPoint);
    if (this.#mounted !== undefined) this.#watch = new MountWatch(this.#mounted, log, this.options.onGone);
  }

  async #unmount(): Promise<void> {
    await this.#mounting?.catch(() => undefined);
    this.#watch?.stop();
    await Promise.race([this.tree.close(), sleep(WRITES_PATIENCE, undefined, { ref: false })]);
    if (this.#mounted !== undefined) await detach(this.#mounted, 'now');
    // Lets go of the event loop; the mount itself is already gone.
    await finished((done) => (this.#fuse === undefined ? done() : this.#fuse.unmount(done)));
  }
}

function finished(start: (done: Fuse.Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error ? reject(error) : resolve()));
  });
}

function notTheVersion(): ColdpgsError {
  const sentence = 'fuse-native has changed inside: coldpgs needs version 2.2.6 exactly. Reinstall with npm ci.';
  return new ColdpgsError('MOUNT_FAILED', 'ENODEV', sentence);
}

function mountFailure(mountPoint: string, cause: unknown): ColdpgsError {
  if (process.geteuid?.() !== 0)
    return new ColdpgsError('NOT_ROOT', 'EPERM', `${mountPoint} could not be mounted: run coldpgs as root.`, cause);
  const sentence = `${mountPoint} could not be mounted; libfuse wrote the reason to stderr. In a container: is CAP_SYS_ADMIN given?`;
  return new ColdpgsError('MOUNT_FAILED', 'EIO', sentence, cause);
}
