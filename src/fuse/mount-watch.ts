import type { Log } from '../log.js';
import { isMounted } from './detach.js';
import type { Mounted } from './mountinfo.js';

/** Milliseconds between looks whether the mount is still there. */
const WATCH_INTERVAL = 2_000;

/** Looks from time to time whether a mount is still there, and tells once when it has gone. */
export class MountWatch {
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly mounted: Mounted,
    private readonly log: Log,
    private readonly onGone: (() => void) | undefined,
  ) {
    this.#timer = setInterval(() => this.#look(), WATCH_INTERVAL).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#stopped = true;
  }

  #stopped = false;

  /** For who has another sign that the mount went. */
  gone(): void {
    if (this.#stopped) return;
    this.stop();
    this.log.warn({ mountPoint: this.mounted.mountPoint }, `${this.mounted.mountPoint} was unmounted by somebody else`);
    this.onGone?.();
  }

  #look(): void {
    isMounted(this.mounted).then(
      (mounted) => {
        if (!mounted) this.gone();
      },
      (error: unknown) => this.log.warn({ err: error }, 'cannot see whether the mount is still there'),
    );
  }
}
