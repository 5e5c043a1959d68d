import { ColdpgsError } from '../../errors.js';
import type { Attributes } from '../../tree/attributes.js';
import { errnoOf } from '../../tree/errno.js';
import type { Located, Tree } from '../../tree/tree.js';
import { FUSE_ROOT_ID } from './protocol.js';

/** Milliseconds that what a walk over the whole tree found is kept: after a restart the kernel asks for many nodes in a row. */
const KEEP_WALK_MS = 5_000;

interface Known {
  readonly located: Located;
  /** How often the kernel was told of the node and has not forgotten it. */
  lookups: number;
}

/**
 * The nodes that the kernel knows, by node id. An id is the inode number, which comes from the node's identity, so it means the same to every process that
 * serves the mount: one that an earlier process gave out is found by a walk over the tree. At most as many as the tree has nodes.
 */
export class Nodes {
  readonly #known = new Map<number, Known>();
  readonly #root: Located;
  #walked = new Map<number, Located>();
  #walkedAtMs = -Infinity;

  constructor(private readonly tree: Tree) {
    this.#root = tree.find('/');
  }

  get size(): number {
    return this.#known.size;
  }

  idOf(located: Located, attributes: Attributes): number {
    // No node but the root may have the root's id.
    return located.path === '/' ? FUSE_ROOT_ID : Math.max(attributes.id, FUSE_ROOT_ID + 1);
  }

  /** Counts one more lookup of a node that the kernel is told of. */
  lookedUp(id: number, located: Located): void {
    const lookups = this.#known.get(id)?.lookups ?? 0;
    // The newest place wins: a memcg may have been renamed.
    this.#known.set(id, { located, lookups: lookups + 1 });
  }

  forget(id: number, lookups: number): void {
    const known = this.#known.get(id);
    if (known === undefined) return;
    known.lookups -= lookups;
    if (known.lookups <= 0) this.#known.delete(id);
  }

  /** The node of that id. Throws NO_SUCH_FILE (ESTALE) when there is none: the kernel then looks the path up again. */
  at(id: number): Located {
    if (id === FUSE_ROOT_ID) return this.#root;
    const located = this.#known.get(id)?.located ?? this.#searched(id);
    if (located === undefined) throw new ColdpgsError('NO_SUCH_FILE', 'ESTALE', 'The file or directory was removed.');
    return located;
  }

  /** For people: where the node of that id was found. */
  pathOf(id: number): string {
    return id === FUSE_ROOT_ID ? '/' : (this.#known.get(id)?.located.path ?? `node ${id}`);
  }

  #searched(id: number): Located | undefined {
    if (performance.now() - this.#walkedAtMs > KEEP_WALK_MS) {
      this.#walked = this.#walk();
      this.#walkedAtMs = performance.now();
      setTimeout(() => this.#walked.clear(), KEEP_WALK_MS).unref();
    }
    return this.#walked.get(id);
  }

  #walk(): Map<number, Located> {
    const found = new Map<number, Located>();
    const directories = [this.#root];
    // Directories below are added while their parents are walked.
    for (const directory of directories)
      for (const name of this.#namesIn(directory)) {
        const located = this.tree.child(directory, name);
        if (located === undefined) continue;
        found.set(this.idOf(located, this.tree.attributes(located)), located);
        if (located.node.kind === 'directory') directories.push(located);
      }
    return found;
  }

  /** None of a directory that is removed while the tree is walked. */
  #namesIn(directory: Located): string[] {
    try {
      return this.tree.names(directory);
    } catch (failure) {
      if (errnoOf(failure).name === 'ENOENT') return [];
      throw failure;
    }
  }
}
