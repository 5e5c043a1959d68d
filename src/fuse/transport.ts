import type { Log } from '../log.js';

/** Serves one Tree at one mount point. Used once: mount, then unmount. */
export interface FuseTransport {
  /** For people: which implementation this is. */
  readonly name: string;
  /** Absolute path. Nothing in this process may ever touch it: only this process could answer. */
  readonly mountPoint: string;
  /** Resolves when the mount answers. Throws NO_FUSE_DEVICE, NO_LIBFUSE, NOT_ROOT, BAD_MOUNT_POINT, MOUNT_POINT_IN_USE, MOUNT_FAILED. */
  mount(): Promise<void>;
  /** Takes no more writes, aborts those in progress (the tree is closed), and resolves when the mount has gone. Well below a second, also when busy. */
  unmount(): Promise<void>;
  /** Whether the mount can outlive this process: another one holds its descriptor, too. */
  readonly canHandOver: boolean;
  /**
   * Takes no more requests, ends writes in progress (those that need longer than `patienceMs` are aborted; the tree is closed), and leaves the mount to
   * another process. Requests wait in the kernel until that one reads them. Only where `canHandOver`.
   */
  handOver(patienceMs: number): Promise<void>;
  /** Plain numbers about the health of the transport, by name. */
  gauges(): Record<string, number>;
}

export interface TransportOptions {
  readonly mountPoint: string;
  readonly log: Log;
  /** Make the mount point (and folders above) when it is missing. */
  readonly create?: boolean;
  /** Called once when the mount vanished without `unmount` (somebody ran umount), within seconds. */
  readonly onGone?: () => void;
}
