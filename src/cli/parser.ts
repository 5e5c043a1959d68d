import type { Argv } from 'yargs';
import { sentenceOf } from '../errors.js';
import { exitCodeOf } from './exit-code.js';

class UsageError extends Error {}

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
  try {
    await parser.parseAsync();
  } catch (failure) {
    process.exitCode = failure instanceof UsageError ? 2 : exitCodeOf(failure);
    process.stderr.write(`${name}: ${sentenceOf(failure)}\n`);
    if (process.exitCode === 1 && failure instanceof Error) process.stderr.write(`${failure.stack ?? ''}\n`);
  }
}
