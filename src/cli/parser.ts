import type { Argv } from 'yargs';
import { sentenceOf } from '../errors.js';
import { exitCodeOf } from './exit-code.js';

class UsageError extends Error {}

/** What yargs lets plugins of its own have; of no type. */
interface YargsInside {
  getInternalMethods(): { getUsageInstance(): { cacheHelpMessage: () => void } };
}

/** Runs a command line that was described, and sets the exit code: 2 for wrong usage, else by what failed. */
export async function runParser(parser: Argv, name: string): Promise<void> {
  parser
    .strict()
    .demandCommand(1, `Name a command: ${name} --help lists them.`)
    .recommendCommands()
    .exitProcess(false)
    .fail((message: string | null, failure: Error | undefined) => {
      throw failure === undefined || message ? new UsageError(message ?? 'wrong usage') : failure;
    });
  // For a failure later yargs renders the help of each command that it runs: a seventh of a daemon's start, and nothing of it is ever printed here.
  (parser as unknown as YargsInside).getInternalMethods().getUsageInstance().cacheHelpMessage = () => undefined;
  try {
    await parser.parseAsync();
  } catch (failure) {
    process.exitCode = failure instanceof UsageError ? 2 : exitCodeOf(failure);
    process.stderr.write(`${name}: ${sentenceOf(failure)}\n`);
    if (process.exitCode === 1 && failure instanceof Error) process.stderr.write(`${failure.stack ?? ''}\n`);
  }
}
