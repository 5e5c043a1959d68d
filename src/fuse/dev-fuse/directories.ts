import { ColdpgsError } from '../../errors.js';
import { type Located, MOST_OPEN_FILES, type Tree } from '../../tree/tree.js';

interface OpenDirectory {
  readonly nodeId: number;
  /** As they were when it was read from its start. */
  names: string[] | undefined;
}

/** Open directories. What one of them lists is taken at the start of a listing, so that the rest of it neither repeats nor leaves out a name. */
export class Directories {
  readonly #open = new Map<number, OpenDirectory>();
  #lastHandle = 0;

  constructor(private readonly tree: Tree) {}

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
    this.#open.set(this.#lastHandle, { nodeId, names: undefined });
    return this.#lastHandle;
  }

  /** The names to list from `offset` on, "." and ".." first. A handle of an earlier process gives them as they are now. */
  names(nodeId: number, handle: number, directory: Located, offset: number): readonly string[] {
    const open = this.#open.get(handle);
    if (open?.nodeId !== nodeId) return this.#namesNow(directory);
    if (offset === 0 || open.names === undefined) open.names = this.#namesNow(directory);
    const { names } = open;
    // The last request of a listing: who reads on starts anew.
    if (offset >= names.length) open.names = undefined;
    return names;
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

  #namesNow(directory: Located): string[] {
    return ['.', '..', ...this.tree.names(directory)];
  }
}
