import { readFileSync, readlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import yargs from 'yargs';
import { sourceOptions } from '../daemon/launch.js';
import { ColdpgsError } from '../errors.js';
import { gatherMount, mountCommand } from './mount.js';

const commandWord = 'mount';

/**
 * Checks all that a new daemon would be started with in the place of a running one: its command line, and every file that this names as it is now. Throws
 * BAD_SETTING with each mistake.
 */
export function checkLaunchOf(pid: number): void {
  const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  checkMount(words.slice(words.indexOf(commandWord) + 1), readlinkSync(`/proc/${pid}/cwd`));
}

/** The same for the words behind `coldpgs mount`, in a folder that the paths in them begin at. */
export function checkMount(words: readonly string[], folder: string): void {
  const given = parseMount(words);
  const files = Object.keys(sourceOptions).flatMap((name) => {
    const file = given[name];
    return typeof file === 'string' ? [[name, resolve(folder, file)]] : [];
  });
  gatherMount({ ...given, ...(Object.fromEntries(files) as object) });
}

function parseMount(words: readonly string[]): Record<string, unknown> {
  return yargs()
    .command({ ...mountCommand, handler: () => undefined })
    .parserConfiguration({ 'populate--': true })
    .strict()
    .exitProcess(false)
    .fail((message: string | null) => {
      throw new ColdpgsError(
        'BAD_SETTING',
        'EINVAL',
        `This version does not take the command line of the running coldpgs: ${message}. End that one and start it anew.`,
      );
    })
    .parseSync([commandWord, ...words]);
}
