import { toText } from '../text.js';
import { ColdpgsError, type ErrnoName } from '../../errors.js';

/** What the kernel interfaces throw when the kernel answers a command with `errno`. */
export function refused(errno: ErrnoName, sentence: string): ColdpgsError {
  const cause = Object.assign(new Error(`${errno}: simulated`), { code: errno });
  return new ColdpgsError('KERNEL_REFUSED', errno, sentence, cause);
}

export function memcgGone(path: string): ColdpgsError {
  return new ColdpgsError('MEMCG_GONE', 'ENOENT', `The memcg ${toText(path)} is gone.`);
}
