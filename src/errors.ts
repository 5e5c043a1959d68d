/** Why something was refused or failed. Codes are stable: scripts match on them, docs/errors.md explains each. */
export type ErrorCode =
  | 'BAD_VALUE'
  | 'WRITE_TOO_LONG'
  | 'NOT_WRITABLE'
  | 'NO_SUCH_FILE'
  | 'TOO_MANY_OPEN'
  | 'MEMCG_GONE'
  | 'LAST_STATE_ONLY'
  | 'CANCELLED'
  | 'KERNEL_REFUSED'
  | 'MEMORY_LIMIT'
  | 'SWAPIN_FAILED'
  | 'NOT_ROOT'
  | 'NO_FUSE_DEVICE'
  | 'NO_LIBFUSE'
  | 'BAD_MOUNT_POINT'
  | 'MOUNT_POINT_IN_USE'
  | 'MOUNT_FAILED'
  | 'NO_LRU_GEN'
  | 'LRU_GEN_LOCKED'
  | 'TRACKER_UNAVAILABLE'
  | 'NO_MEMORY_CONTROLLER'
  | 'NO_PRESSURE'
  | 'STATE_IN_USE'
  | 'NO_SUPERVISOR'
  | 'NO_DESCRIPTOR_STORE'
  | 'RELOAD_FAILED'
  | 'BAD_SETTING';

/** The errno names coldpgs answers with; tree/errno.ts gives their Linux numbers. */
export type ErrnoName =
  | 'EPERM'
  | 'ENOENT'
  | 'EINTR'
  | 'EIO'
  | 'EBADF'
  | 'EAGAIN'
  | 'ENFILE'
  | 'EACCES'
  | 'EBUSY'
  | 'ENODEV'
  | 'ENOTDIR'
  | 'EISDIR'
  | 'EINVAL'
  | 'E2BIG'
  | 'ENAMETOOLONG'
  | 'EROFS'
  | 'ESTALE'
  | 'EOPNOTSUPP';

/** The one error class: a stable code, the errno a file system client sees, a sentence that says what to do, and the cause. */
export class ColdpgsError extends Error {
  override readonly name = 'ColdpgsError';

  constructor(
    readonly code: ErrorCode,
    readonly errno: ErrnoName,
    sentence: string,
    cause?: unknown,
  ) {
    super(sentence, cause === undefined ? undefined : { cause });
  }
}

/** The sentence of any thrown value, with the sentences of its causes behind it. */
export function sentenceOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return thrown.cause === undefined ? thrown.message : `${thrown.message} (${sentenceOf(thrown.cause)})`;
}

/** The errno name of a failed system call as Node reports it (`code`), or undefined. */
export function systemErrno(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}
