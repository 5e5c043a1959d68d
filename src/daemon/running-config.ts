import { readFileSync, readlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import { readConfigFile } from './config-file.js';

/** Checks the configuration file that a running daemon was started with, if any, so that no new daemon is started that would not take it. Throws BAD_SETTING. */
export function checkConfigOf(pid: number): void {
  const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  const file = configIn(args);
  if (file !== undefined) readConfigFile(resolve(readlinkSync(`/proc/${pid}/cwd`), file));
}

/** The file that a command line names with --config. */
export function configIn(args: readonly string[]): string | undefined {
  const at = args.findIndex((word) => word === '--config' || word.startsWith('--config='));
  const word = args[at];
  return word === '--config' ? args[at + 1] : word?.slice('--config='.length);
}
