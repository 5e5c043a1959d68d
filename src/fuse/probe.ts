import { constants } from 'node:os';
import { run } from './command.js';

/** Milliseconds in which a living mount answers. */
const PATIENCE = 3_000;

/** statfs, because the kernel never answers it from a cache. */
const asking = `
  try { require('node:fs').statfsSync(process.argv[1]); }
  catch (error) { process.exit(-error.errno); }
`;

/** Whether somebody serves the FUSE mount at `path`. Asks from a child process: a mount that hangs takes its asker with it. */
export async function probe(path: string): Promise<'alive' | 'dead' | 'hanging'> {
  const { status } = await run(process.execPath, ['-e', asking, path], PATIENCE);
  if (status === undefined) return 'hanging';
  return status === constants.errno.ENOTCONN ? 'dead' : 'alive';
}
