import { isUtf8 } from 'node:buffer';

/** The tree keeps a character a byte (latin1); fuse-native passes UTF-8, and no name that is not. */

/** The tree's path for one that fuse-native brought. */
export function fromUtf8(path: string): string {
  return Buffer.from(path, 'utf8').toString('latin1');
}

/** The name as fuse-native takes it, or undefined where its bytes are not UTF-8. */
export function toUtf8(name: string): string | undefined {
  const bytes = Buffer.from(name, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
}
