import { unescapeOctal } from './octal-escapes.js';

/** One line of /proc/self/mountinfo (proc_pid_mountinfo(5)), as far as coldpgs uses it. Names have one character a byte. */
export interface Mount {
  /** The directory of the file system that is the root of this mount. */
  readonly root: string;
  readonly mountPoint: string;
  readonly fileSystem: string;
  readonly superOptions: readonly string[];
}

/** Parses /proc/self/mountinfo (latin1). Lines in another form are passed over; never throws. */
export function parseMountinfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    // Optional fields stand before the separator, any number of them.
    const [mount = '', source] = line.split(' - ', 2);
    const [, , , root, mountPoint] = mount.split(' ');
    const [fileSystem, , superOptions] = source?.split(' ') ?? [];
    if (root === undefined || mountPoint === undefined || fileSystem === undefined) return [];
    return [
      {
        root: unescapeOctal(root),
        mountPoint: unescapeOctal(mountPoint),
        fileSystem,
        superOptions: superOptions?.split(',') ?? [],
      },
    ];
  });
}
