import { ColdpgsError } from '../../errors.js';
import { HANDLES_OF_ONE_PROCESS, type Located, MOST_OPEN_FILES, type Tree } from '../../tree/tree.js';

/** A name in a listing; `isDirectory` where the entry is known without a look at it. */
export interface Listed {
  readonly name: string;
  readonly isDirectory?: boolean;
}

const dots: readonly Listed[] = [{ name: '.' }, { name: '..' }];

interface OpenDirectory {
  readonly nodeId: number;
  /** As they were when it was read from its start. */
  entries: readonly Listed[] | undefined;
}

/** Open directories. What one of them lists is taken at the start of a listing, so that the rest of it neither repeats nor leaves out a name. */
export class Directories {
  readonly #open = new Map<number, OpenDirectory>();
  #lastHandle: number;

  /** `incarnation`: how many processes served the mount before. What they gave out is not given out again while it may be open. */
  constructor(
    private readonly tree: Tree,
    incarnation = 0,
  ) {
    this.#lastHandle = (incarnation * HANDLES_OF_ONE_PROCESS) % 2 ** 32;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Throws NO_SUCH_FILE (ENOTDIR), TOO_MANY_OPEN (ENFILE). */
  open(nodeId: number, directory: Located): number {
    if (directory.node.kind !== 'directory')
      throw new ColdpgsError('NO_SUCH_FILE', 'ENOTDIR', 'This is a file, not a directory.');
    if (this.#open.size >= MOST_OPEN_FILES)
      throw new ColdpgsError('TOO_MANY_OPEN', 'ENFILE', `${MOST_OPEN_FILES} directories of coldpgs are open already.`);
    do this.#lastHandle = (this.#lastHandle + 1) % 2 ** 32;
    while (this.#open.has(this.#lastHandle));
    this.#open.set(this.#lastHandle, { nodeId, entries: undefined });
    return this.#lastHandle;
  }

  /** What to list from `offset` on, "." and ".." first. A handle of an earlier process gives them as they are now. */
  entries(nodeId: number, handle: number, directory: Located, offset: number): readonly Listed[] {
    const open = this.#open.get(handle);
    if (open?.nodeId !== nodeId) return this.#entriesNow(directory);
    if (offset === 0 || open.entries === undefined) open.entries = this.#entriesNow(directory);
    const { entries } = open;
    // The last request of a listing: who reads on starts anew.
    if (offset >= entries.length) open.entries = undefined;
    return entries;
  }

  /** What "." and ".." of a directory are; undefined when the parent has gone. */
  dots(directory: Located, name: string): Located | undefined {
    if (name === '.' || directory.path === '/') return directory;
    try {
      return this.tree.find(directory.path.slice(0, directory.path.lastIndexOf('/')));
    } catch (failure) {
      if (failure instanceof ColdpgsError) return undefined;
      throw failure;
    }
  }

  release(nodeId: number, handle: number): void {
    if (this.#open.get(handle)?.nodeId === nodeId) this.#open.delete(handle);
  }

  #entriesNow(directory: Located): readonly Listed[] {
    return [...dots, ...this.tree.entries(directory)];
  }
}
