import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ColdpgsError } from '../errors.js';

/** The option of clients that names the mount. */
export const mountOption = {
  type: 'string',
  requiresArg: true,
  default: process.env['COLDPGS_MOUNT'] ?? '/run/coldpgs',
  describe: 'where coldpgs is mounted (or COLDPGS_MOUNT)',
} as const;

/** The files of a running coldpgs, as any client sees them. */
export class MountedFiles {
  /** Throws BAD_MOUNT_POINT when no coldpgs is mounted there. */
  constructor(private readonly mountPoint: string) {
    if (!existsSync(join(mountPoint, 'coldpgs/version')))
      throw new ColdpgsError(
        'BAD_MOUNT_POINT',
        'ENOENT',
        `No coldpgs is mounted at ${mountPoint}: start one (mem-agent-srv, or coldpgs mount), or name its mount with --mount.`,
      );
  }

  /** The text of a file. */
  read(name: string): string {
    return readFileSync(join(this.mountPoint, name), 'utf8');
  }

  /** Throws BAD_VALUE with the daemon's own sentence when it refuses. */
  write(name: string, text: string): void {
    try {
      writeFileSync(join(this.mountPoint, name), text);
    } catch (failure) {
      const sentence = this.#whyRefused(name);
      throw sentence === undefined ? failure : new ColdpgsError('BAD_VALUE', 'EINVAL', sentence, failure);
    }
  }

  /** The latest line of coldpgs/errors about a file, without its time. */
  #whyRefused(name: string): string | undefined {
    const lines = this.read('coldpgs/errors').trimEnd().split('\n');
    return lines.findLast((line) => line.includes(`/${name}: `))?.split(`/${name}: `)[1];
  }
}

/** Where the autopilot's files are in the tree. */
export const memAgentFolder = 'sys/kernel/mm/mem_agent';
