/** What coldpgs uses of fuse-native 2.2.6, which brings no types. The underscored members are private there. */
declare module 'fuse-native' {
  class Fuse {
    constructor(mountPoint: string, handlers: Fuse.Handlers, options: Fuse.Options);
    /** How `unmount()` takes the mount away; replaceable. */
    static unmount(mountPoint: string, done: Fuse.Done): void;
    mount(done: Fuse.Done): void;
    unmount(done: Fuse.Done): void;
    /** The argument for libfuse: `-o` and options with commas between, or nothing. */
    _fuseOptions?(): string;
    /** One block for every libfuse thread that ever served a request; never freed. */
    _threads?: Set<Buffer>;
  }

  namespace Fuse {
    type Done = (error?: Error | null) => void;

    /** The status is 0 or a negative errno. */
    type Reply<Value = void> = (status: number, value?: Value) => void;

    /** The status is a number of bytes or a negative errno; the request's buffer is gone afterwards. */
    type ReplyCount = (status: number) => void;

    interface Stat {
      mode: number;
      uid: number;
      gid: number;
      size: number;
      nlink: number;
      /** Only the low 32 bits arrive. */
      ino: number;
      /** Milliseconds since 1970. */
      atime: number;
      mtime: number;
      ctime: number;
    }

    interface Statfs {
      bsize: number;
      frsize: number;
      namemax: number;
    }

    /** Paths are UTF-8; bytes that are not arrive as U+FFFD. */
    interface Handlers {
      statfs(path: string, reply: Reply<Statfs>): void;
      getattr(path: string, reply: Reply<Stat>): void;
      readdir(path: string, reply: Reply<string[]>): void;
      open(path: string, flags: number, reply: Reply<number>): void;
      read(path: string, handle: number, buffer: Buffer, length: number, position: number, reply: ReplyCount): void;
      write(path: string, handle: number, buffer: Buffer, length: number, position: number, reply: ReplyCount): void;
      release(path: string, handle: number, reply: Reply): void;
      truncate(path: string, size: number, reply: Reply): void;
      utimens(path: string, accessed: number, modified: number, reply: Reply): void;
      chmod(path: string, mode: number, reply: Reply): void;
      chown(path: string, uid: number, gid: number, reply: Reply): void;
      create(path: string, mode: number, reply: Reply): void;
      mknod(path: string, mode: number, device: number, reply: Reply): void;
      mkdir(path: string, mode: number, reply: Reply): void;
      unlink(path: string, reply: Reply): void;
      rmdir(path: string, reply: Reply): void;
      rename(from: string, to: string, reply: Reply): void;
      link(from: string, to: string, reply: Reply): void;
      symlink(from: string, to: string, reply: Reply): void;
    }

    interface Options {
      /** Milliseconds after which a request is answered with ETIMEDOUT; false: never. */
      timeout: number | false;
    }
  }

  export = Fuse;
}
