/**
 * The wire structures of the FUSE protocol, by their names in include/uapi/linux/fuse.h (7.40): the size of each, and where in it the fields lie that
 * are used here. All numbers are in the byte order of the machine, which for Node on Linux is little endian wherever fuse exists in practice.
 */

/** The version spoken. The kernel takes the lower minor of the two sides; 7.31 (Linux 5.4) is the least that has all that is used here. */
export const FUSE_KERNEL_VERSION = 7;
export const FUSE_KERNEL_MINOR_VERSION = 40;
export const LEAST_MINOR_VERSION = 31;

export const FUSE_ROOT_ID = 1;

/** The bit of `fuse_in_header.unique` that marks a request as sent again after FUSE_NOTIFY_RESEND: bit 63, here of the high half. */
export const FUSE_UNIQUE_RESEND_HIGH = 0x8000_0000;
/** From one request to the next; odd ones are those of interrupts (FUSE_REQ_ID_STEP in fs/fuse/fuse_i.h). */
export const FUSE_UNIQUE_STEP = 2;

/** enum fuse_opcode */
export const opcode = {
  FUSE_LOOKUP: 1,
  FUSE_FORGET: 2,
  FUSE_GETATTR: 3,
  FUSE_SETATTR: 4,
  FUSE_SYMLINK: 6,
  FUSE_MKNOD: 8,
  FUSE_MKDIR: 9,
  FUSE_UNLINK: 10,
  FUSE_RMDIR: 11,
  FUSE_RENAME: 12,
  FUSE_LINK: 13,
  FUSE_OPEN: 14,
  FUSE_READ: 15,
  FUSE_WRITE: 16,
  FUSE_STATFS: 17,
  FUSE_RELEASE: 18,
  FUSE_FSYNC: 20,
  FUSE_SETXATTR: 21,
  FUSE_GETXATTR: 22,
  FUSE_LISTXATTR: 23,
  FUSE_REMOVEXATTR: 24,
  FUSE_FLUSH: 25,
  FUSE_INIT: 26,
  FUSE_OPENDIR: 27,
  FUSE_READDIR: 28,
  FUSE_RELEASEDIR: 29,
  FUSE_FSYNCDIR: 30,
  FUSE_ACCESS: 34,
  FUSE_CREATE: 35,
  FUSE_INTERRUPT: 36,
  FUSE_DESTROY: 38,
  FUSE_POLL: 40,
  FUSE_BATCH_FORGET: 42,
  FUSE_READDIRPLUS: 44,
  FUSE_RENAME2: 45,
} as const;

/** enum fuse_notify_code */
export const FUSE_NOTIFY_POLL = 1;
export const FUSE_NOTIFY_RESEND = 7;

/** Flags of INIT, both ways. */
export const FUSE_ATOMIC_O_TRUNC = 1 << 3;
export const FUSE_BIG_WRITES = 1 << 5;
export const FUSE_DO_READDIRPLUS = 1 << 13;
export const FUSE_READDIRPLUS_AUTO = 1 << 14;
export const FUSE_PARALLEL_DIROPS = 1 << 18;

/** `fuse_open_out.open_flags`: every read and write reaches the daemon, none is answered from the page cache. */
export const FOPEN_DIRECT_IO = 1 << 0;

/** `fuse_poll_in.flags` */
export const FUSE_POLL_SCHEDULE_NOTIFY = 1 << 0;

/** `fuse_setattr_in.valid` */
export const FATTR_MODE = 1 << 0;
export const FATTR_UID = 1 << 1;
export const FATTR_GID = 1 << 2;
export const FATTR_SIZE = 1 << 3;
export const FATTR_ATIME = 1 << 4;
export const FATTR_MTIME = 1 << 5;

/** `fuse_dirent.ino` of an entry that nobody looked at. */
export const FUSE_UNKNOWN_INO = 0xffff_ffff;

/** The least that a read of /dev/fuse must make room for. */
export const FUSE_MIN_READ_BUFFER = 8192;

/** struct fuse_in_header: what every request begins with. */
export const fuse_in_header = {
  size: 40,
  len: 0,
  opcode: 4,
  unique: 8,
  nodeid: 16,
  uid: 24,
  gid: 28,
  pid: 32,
} as const;

/** struct fuse_out_header: what every reply and notification begins with. */
export const fuse_out_header = { size: 16, len: 0, error: 4, unique: 8 } as const;

/** struct fuse_init_in as of 7.6; later fields follow and are not looked at. */
export const fuse_init_in = { size: 16, major: 0, minor: 4, max_readahead: 8, flags: 12 } as const;

export const fuse_init_out = {
  size: 64,
  major: 0,
  minor: 4,
  max_readahead: 8,
  flags: 12,
  max_background: 16,
  congestion_threshold: 18,
  max_write: 20,
  time_gran: 24,
} as const;

export const fuse_attr = {
  size: 88,
  ino: 0,
  atime: 24,
  mtime: 32,
  ctime: 40,
  atimensec: 48,
  mtimensec: 52,
  ctimensec: 56,
  mode: 60,
  nlink: 64,
  uid: 68,
  gid: 72,
  blksize: 80,
} as const;

export const fuse_entry_out = {
  size: 128,
  nodeid: 0,
  entry_valid: 16,
  attr_valid: 24,
  entry_valid_nsec: 32,
  attr_valid_nsec: 36,
  attr: 40,
} as const;

export const fuse_attr_out = { size: 104, attr_valid: 0, attr_valid_nsec: 8, attr: 16 } as const;

export const fuse_forget_in = { size: 8, nlookup: 0 } as const;
export const fuse_batch_forget_in = { size: 8, count: 0 } as const;
export const fuse_forget_one = { size: 16, nodeid: 0, nlookup: 8 } as const;

export const fuse_setattr_in = {
  size: 88,
  valid: 0,
  atime: 32,
  mtime: 40,
  atimensec: 56,
  mtimensec: 60,
  mode: 68,
  uid: 76,
  gid: 80,
} as const;

/** The name follows. The umask has been applied to the mode. */
export const fuse_mkdir_in = { size: 8, mode: 0 } as const;

export const fuse_open_in = { size: 8, flags: 0 } as const;
export const fuse_open_out = { size: 16, fh: 0, open_flags: 8 } as const;

export const fuse_read_in = { size: 40, fh: 0, offset: 8, size_: 16, flags: 32 } as const;
export const fuse_write_in = { size: 40, fh: 0, size_: 16, flags: 32 } as const;
export const fuse_write_out = { size: 8, size_: 0 } as const;
export const fuse_release_in = { size: 24, fh: 0 } as const;

/** struct fuse_statfs_out, which is one struct fuse_kstatfs. */
export const fuse_statfs_out = { size: 80, bsize: 40, namelen: 44, frsize: 48 } as const;

export const fuse_interrupt_in = { size: 8, unique: 0 } as const;

export const fuse_poll_in = { size: 24, fh: 0, kh: 8, flags: 16 } as const;
export const fuse_poll_out = { size: 8, revents: 0 } as const;
export const fuse_notify_poll_wakeup_out = { size: 8, kh: 0 } as const;

/** struct fuse_dirent; the name follows, and zeroes up to a multiple of 8. */
export const fuse_dirent = { size: 24, ino: 0, off: 8, namelen: 16, type: 20 } as const;
