import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ColdpgsError, sentenceOf } from '../errors.js';

/** Bytes that a control file takes in one write. */
const longestWrite = 4096;

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

  /**
   * Writes lines to a file that takes any number of them: whole lines, as many in each write as it may have. Throws as `write` does; a line that is refused
   * leaves those of the writes before it in force, and the sentence says how many they are.
   */
  writeLines(name: string, lines: readonly string[]): void {
    let done = 0;
    for (const piece of piecesOf(lines)) {
      try {
        this.write(name, `${piece.join('\n')}\n`);
      } catch (failure) {
        if (done === 0) throw failure;
        const sentence = sentenceOf(failure).replace(/ Nothing was changed\..*$/s, '');
        const taken = `The first ${done} of ${lines.length} changes were made.`;
        throw new ColdpgsError('BAD_VALUE', 'EINVAL', `${sentence} ${taken}`);
      }
      done += piece.length;
    }
  }

  /** The latest line of coldpgs/errors about a file, without its time. */
  #whyRefused(name: string): string | undefined {
    const lines = this.read('coldpgs/errors').trimEnd().split('\n');
    return lines.findLast((line) => line.includes(`/${name}: `))?.split(`/${name}: `)[1];
  }
}

/** Whether a control file takes a text in one write. */
export function fitsOneWrite(text: string): boolean {
  return Buffer.byteLength(text) <= longestWrite;
}

/** Lines in runs that fit one write each, with a line break behind every line. A line that is longer than any write is a run of its own, for the file to refuse. */
function piecesOf(lines: readonly string[]): string[][] {
  const pieces: string[][] = [];
  let room = 0;
  for (const line of lines) {
    const bytes = Buffer.byteLength(line) + 1;
    if (bytes > room) {
      pieces.push([]);
      room = longestWrite;
    }
    pieces.at(-1)?.push(line);
    room -= bytes;
  }
  return pieces;
}

/** Where the autopilot's files are in the tree. */
export const memAgentFolder = 'sys/kernel/mm/mem_agent';
