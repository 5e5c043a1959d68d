/** Files and directories of the machine that are shown as they are, beside ours: what the tree asks of them. Belongs to no room. */

/** Who asks. Ids are those of the namespaces that coldpgs runs in. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
  /** 0 for a thread of a pid namespace that is not below ours. */
  readonly threadId: number;
}

/** What stat(2) tells of it. */
export interface Status {
  readonly inode: number;
  readonly isDirectory: boolean;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly modifiedMs: number;
}

/** What chmod, chown and utimes ask for. Times are milliseconds since 1970. */
export interface StatusChange {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly accessedMs?: number;
  readonly modifiedMs?: number;
}

/** One open(2) of it. What it throws has the errno of the kernel's own refusal in `code`. */
export interface OpenPassed {
  /** At most `length` bytes from `offset`, as many as the kernel hands out at once; none at the end. They are good until the next read of any file. */
  read(offset: number, length: number): Uint8Array;
  /** One write(2) of all bytes (a character a byte), with the rights of the one who opened, in the pid namespace of the one who writes. */
  write(bytes: string, caller: Caller, signal: AbortSignal): Promise<void>;
  /** Calls `listener` after each change that the kernel tells of, until the function that it returns is called. Missing where it tells of none. */
  onChange?(listener: () => void): () => void;
  close(): void;
}

/** What a passed file and a passed directory have in common. */
export interface Passed {
  /** As it is now. Throws the kernel's refusal: ENOENT when it has gone. */
  status(): Status;
  change(change: StatusChange): void;
}

/** An entry of a passed directory, without a look at it. */
export interface PassedEntry {
  readonly name: string;
  readonly isDirectory: boolean;
}

export interface PassedDirectory extends Passed {
  /** All entries, ours among them, without "." and "..". Throws the kernel's refusal. */
  list(): PassedEntry[];
  /** mkdir(2) and rmdir(2) with the rights of the caller. They reject with the kernel's refusal. */
  make(name: string, mode: number, caller: Caller): Promise<void>;
  remove(name: string, caller: Caller): Promise<void>;
}

export interface PassedFile extends Passed {
  readonly kind: 'passed';
  /** Never changes for the same file, differs between files. */
  readonly identity: string;
  /** `flags` are those of open(2). Throws the kernel's refusal. */
  open(flags: number, caller: Caller): OpenPassed;
}
