import { ColdpgsError, systemErrno, type ErrnoName } from '../../errors.js';
import { toText } from '../text.js';

/** The errno of a refusal as a client sees it; those that say nothing to a client become EIO. */
const CLIENT_ERRNO: Readonly<Record<string, ErrnoName>> = {
  EPERM: 'EPERM',
  EACCES: 'EACCES',
  EINTR: 'EINTR',
  EAGAIN: 'EAGAIN',
  EBUSY: 'EBUSY',
  EINVAL: 'EINVAL',
  ENODEV: 'ENODEV',
  EOPNOTSUPP: 'EOPNOTSUPP',
};

/** KERNEL_REFUSED with its cause. */
export function kernelRefused(sentence: string, cause: unknown): ColdpgsError {
  return new ColdpgsError('KERNEL_REFUSED', CLIENT_ERRNO[systemErrno(cause) ?? ''] ?? 'EIO', sentence, cause);
}

/** MEMCG_GONE for a path of one character a byte. */
export function memcgGone(path: string, cause?: unknown): ColdpgsError {
  return new ColdpgsError('MEMCG_GONE', 'ENOENT', `The memcg ${toText(path)} does not exist (any more).`, cause);
}

/** Whether a system call failed because the kernel object behind the file is gone: the name (ENOENT), or what the open file stood for. */
export function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENODEV', 'ESRCH'].includes(systemErrno(error) ?? '');
}
