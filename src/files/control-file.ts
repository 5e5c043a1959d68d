import type { Caller, PassedDirectory, PassedFile } from '../passed.js';

/**
 * What the tree serves: directories and control files. A control file renders its text and accepts one write at a time, as sysfs and cgroup
 * files do. Text here has one character a byte (latin1), so that any bytes a client writes arrive as they are.
 */

/** Who is asking and whether still: aborted when the writer is interrupted (where the transport knows) or the daemon stops. */
export interface WriteContext {
  readonly signal: AbortSignal;
  /** Missing where the transport does not know. */
  readonly caller?: Caller;
}

export interface ControlFile {
  readonly kind: 'file';
  /** Permission bits; a file without `apply` has no write bit. */
  readonly mode: number;
  /** Never changes for the same file, differs between files: the inode number is made from it. */
  readonly identity: string;
  /** The whole text at this moment. Called once per open; throws ColdpgsError. */
  render(): string;
  /**
   * One write(2), whole, at most 4096 bytes. Returns when its effect is done; throws ColdpgsError, and then nothing was changed. What it does before it
   * first waits must be in memory only: a daemon that dies there has not begun, and the next one may be asked to do it.
   */
  apply?(bytes: string, context: WriteContext): void | Promise<void>;
  /** Calls `listener` after each change of the text, until the function that it returns is called. Only where somebody may want to wait for that (poll). */
  onChange?(listener: () => void): () => void;
}

export interface Directory {
  readonly kind: 'directory';
  readonly mode: number;
  readonly identity: string;
  /** True where entries come and go by themselves (memcgs): attributes and names must not be cached for long. */
  readonly changing: boolean;
  /** Names of the entries, without "." and "..". Throws ColdpgsError NO_SUCH_FILE when the directory itself is gone. */
  names(): string[];
  /** The entry of that name as it is now, or undefined. */
  child(name: string): TreeNode | undefined;
  /** Where it is a directory of the machine's own, with our files added. */
  readonly passed?: PassedDirectory;
}

export type TreeNode = ControlFile | PassedFile | Directory;

/** Owner of every file and directory. */
export interface Ownership {
  readonly uid: number;
  readonly gid: number;
}
