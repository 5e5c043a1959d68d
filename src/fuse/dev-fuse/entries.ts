import { ColdpgsError } from '../../errors.js';
import type { Located, Tree } from '../../tree/tree.js';
import type { Directories } from './directories.js';
import type { Nodes } from './nodes.js';
import type { Entry, ReplyBuffer } from './replies.js';
import type { FileHandle, Header } from './requests.js';

/** Milliseconds for which the kernel may answer from its memory: of what stays, and of memcgs, which come and go. What is new shows at once. */
const FIXED_VALID_MS = 1000;
const CHANGING_VALID_MS = 500;

/** What the kernel is told of nodes: by name, by node id, and a directory at a time. */
export class Entries {
  constructor(
    private readonly tree: Tree,
    private readonly nodes: Nodes,
    private readonly directories: Directories,
    private readonly replies: ReplyBuffer,
  ) {}

  /** An entry of a directory, counted as looked up. Throws NO_SUCH_FILE. */
  lookup(header: Header, name: string): Uint8Array {
    const parent = this.nodes.at(header.nodeId);
    const located = this.tree.child(parent, name);
    if (located === undefined) {
      if (!parent.changing) return this.replies.noEntry(header, FIXED_VALID_MS);
      throw new ColdpgsError('NO_SUCH_FILE', 'ENOENT', 'There is no such file or directory.');
    }
    return this.lookedUp(header, located);
  }

  /** The reply that tells the kernel of a node, which counts as a lookup of it. */
  lookedUp(header: Header, located: Located): Uint8Array {
    const entry = this.#entryOf(located);
    this.nodes.lookedUp(entry.nodeId, located);
    return this.replies.entry(header, entry);
  }

  attributes(header: Header): Uint8Array {
    return this.replies.attributes(header, this.#entryOf(this.nodes.at(header.nodeId)));
  }

  #entryOf(located: Located): Entry {
    const attributes = this.tree.attributes(located);
    const validMs = located.changing ? CHANGING_VALID_MS : FIXED_VALID_MS;
    return { nodeId: this.nodes.idOf(located, attributes), attributes, validMs };
  }

  /** As much of a directory from an offset on as there is room for; with `plus` what can be known without a look at files comes with its attributes. */
  list(
    header: Header,
    { low, offset, size }: FileHandle & { offset: number; size: number },
    plus: boolean,
  ): Uint8Array {
    const directory = this.nodes.at(header.nodeId);
    const entries = this.directories.entries(header.nodeId, low, directory, offset);
    const listing = this.replies.listing(header, size);
    for (let index = offset; index < entries.length; index++) {
      const { name, isDirectory } = entries[index] ?? { name: '' };
      const isChild = index > 1;
      if (isDirectory === false) {
        // Short entries are many to a page: the kernel asks for those without attributes next, unless this request has no others.
        if (plus && index > offset) break;
        if (!listing.addUnseen(name, index + 1, plus)) break;
        continue;
      }
      const located = isChild ? this.tree.child(directory, name) : this.directories.dots(directory, name);
      if (located === undefined) continue;
      const entry = this.#entryOf(located);
      if (!listing.add(name, index + 1, entry, plus && (isChild ? 'counted' : 'bare'))) break;
      if (plus && isChild) this.nodes.lookedUp(entry.nodeId, located);
    }
    return listing.done();
  }
}
