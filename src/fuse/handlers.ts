import type Fuse from 'fuse-native';
import { ColdpgsError } from '../errors.js';
import type { Log } from '../log.js';
import { type Operation, shown } from '../tree/outcomes.js';
import type { Tree } from '../tree/tree.js';
import { fromUtf8, toUtf8 } from './names.js';

/**
 * The tree as fuse-native asks for it. Every request is answered exactly once, whatever is thrown: a client whose request is not answered hangs.
 * flush, fsync, access and the xattr operations are missing on purpose: the kernel notes that and answers them itself from then on.
 */
export function handlersFor(tree: Tree, log: Log): Fuse.Handlers {
  let toldOfNames = false;

  function passable(path: string, names: readonly string[]): string[] {
    const texts = names.map(toUtf8);
    const left = texts.filter((text) => text !== undefined);
    if (left.length < names.length && !toldOfNames) {
      toldOfNames = true;
      log.warn(
        { path },
        `names that are not valid UTF-8 are left out of ${path} (fuse-native cannot pass them); said once`,
      );
    }
    return left;
  }

  /** Answers with what `work` returns, or with the errno of what it throws. */
  function answer<Value>(operation: Operation, path: string, reply: Fuse.Reply<Value>, work: () => Value): void {
    let value: Value;
    try {
      value = work();
    } catch (thrown) {
      reply(-tree.outcomes.failed(operation, path, thrown));
      return;
    }
    tree.outcomes.succeeded(operation);
    reply(0, value);
  }

  function refuse(path: string, reply: Fuse.Reply, errno: 'EPERM' | 'EACCES' = 'EPERM'): void {
    answer('change', path, reply, () => {
      throw new ColdpgsError('NOT_WRITABLE', errno, 'Only coldpgs makes, changes and removes files here.');
    });
  }

  return {
    statfs: (_path, reply) => reply(0, { bsize: 4096, frsize: 4096, namemax: 255 }),

    getattr: (path, reply) =>
      answer('stat', path, reply, () => {
        const { time, ...attributes } = tree.stat(fromUtf8(path));
        return { ...attributes, atime: time, mtime: time, ctime: time };
      }),

    readdir: (path, reply) => answer('list', path, reply, () => passable(path, tree.list(fromUtf8(path)))),

    open: (path, flags, reply) => answer('open', path, reply, () => tree.open(fromUtf8(path), flags)),

    read(path, handle, buffer, length, position, reply) {
      const work = (): number => {
        const bytes = tree.read(handle, position, length);
        buffer.set(bytes);
        return bytes.length;
      };
      answer('read', path, (status, count) => reply(count ?? status), work);
    },

    write(path, handle, buffer, _length, _position, reply) {
      const writer = { text: shown(buffer) };
      tree.write(handle, buffer).then(
        (count) => {
          tree.outcomes.wrote(path, writer);
          reply(count);
        },
        (thrown: unknown) => reply(-tree.outcomes.failed('write', path, thrown, writer)),
      );
    },

    release: (path, handle, reply) => answer('release', path, reply, () => tree.release(handle)),
    truncate: (path, _size, reply) => answer('truncate', path, reply, () => tree.truncate(fromUtf8(path))),

    utimens: (path, _accessed, _modified, reply) => refuse(path, reply),
    chmod: (path, _mode, reply) => refuse(path, reply),
    chown: (path, _uid, _gid, reply) => refuse(path, reply),
    create: (path, _mode, reply) => refuse(path, reply, 'EACCES'),
    mknod: (path, _mode, _device, reply) => refuse(path, reply),
    mkdir: (path, _mode, reply) => refuse(path, reply),
    unlink: (path, reply) => refuse(path, reply),
    rmdir: (path, reply) => refuse(path, reply),
    rename: (from, _to, reply) => refuse(from, reply),
    link: (_from, to, reply) => refuse(to, reply),
    symlink: (_from, to, reply) => refuse(to, reply),
  };
}
