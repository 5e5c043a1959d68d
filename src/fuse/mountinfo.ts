import { readFile } from 'node:fs/promises';

/** One line of /proc/self/mountinfo. */
export interface Mounted {
  /** Differs between all mounts of the moment. */
  readonly id: number;
  readonly mountPoint: string;
  /** `fuse.coldpgs` for our own. */
  readonly type: string;
  readonly source: string;
}

/** The type of a mount of coldpgs: `fuse.` and the subtype it mounts with. */
export const OUR_TYPE = 'fuse.coldpgs';

/** All mounts of this process's mount namespace, those on top last. Touches none of them. */
export async function mounts(): Promise<Mounted[]> {
  return parseMountinfo(await readFile('/proc/self/mountinfo', 'latin1'));
}

/** What is mounted on exactly this path (absolute, canonical), the one on top; undefined if nothing is. */
export async function mountedAt(path: string): Promise<Mounted | undefined> {
  return (await mounts()).findLast((mount) => mount.mountPoint === path);
}

/** Parses mountinfo text (latin1). A line: `id parent major:minor root mountPoint options [optional fields] - type source superOptions`. */
export function parseMountinfo(text: string): Mounted[] {
  const found: Mounted[] = [];
  for (const line of text.split('\n')) {
    const [mount = '', filesystem = ''] = line.split(' - ', 2);
    const [id, , , , mountPoint] = mount.split(' ');
    const [type, source = ''] = filesystem.split(' ');
    if (mountPoint === undefined || type === undefined) continue;
    found.push({ id: Number(id), mountPoint: unescaped(mountPoint), type, source: unescaped(source) });
  }
  return found;
}

/** Space, tab, newline and backslash stand as \040 and so on. */
function unescaped(field: string): string {
  const bytes = field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
