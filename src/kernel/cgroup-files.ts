import type { Caller, OpenPassed, PassedEntry, Status, StatusChange } from '../passed.js';

/**
 * The mounted hierarchy of the memory controller as files, for those who show it as it is. Paths are relative to its root and start with "/", a character a
 * byte. What is refused throws the kernel's own refusal, with its errno in `code`.
 */
export interface CgroupFiles {
  readonly version: 1 | 2;
  /** Throws ENOENT when there is none. */
  status(path: string): Status;
  /** Entries without "." and "..", directories first. */
  list(path: string): PassedEntry[];
  /** `flags` are those of open(2); nothing is made. */
  open(path: string, flags: number, caller: Caller): OpenPassed;
  /** The whole text, here and now. */
  read(path: string): string;
  /** One write(2) by coldpgs itself, in a thread of its own. */
  write(path: string, text: string): Promise<void>;
  make(path: string, mode: number, caller: Caller): Promise<void>;
  remove(path: string, caller: Caller): Promise<void>;
  change(path: string, change: StatusChange): void;
}
