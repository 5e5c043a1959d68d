import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { sentenceOf } from '../errors.js';
import { packageVersion } from '../daemon/package-version.js';
import { capabilitiesCommand } from './capabilities.js';
import { exitCodeOf } from './exit-code.js';
import { mountCommand } from './mount.js';
import { reloadCommand } from './reload.js';

/** Runs the command line and sets the exit code. */
export async function main(args: readonly string[] = hideBin(process.argv)): Promise<void> {
  const parser = yargs([...args])
    .scriptName('coldpgs')
    .usage('$0 COMMAND\n\nThe cold-memory files of kidled and coldpgs on a mainline kernel.')
    .command(mountCommand)
    .command(reloadCommand)
    .command(capabilitiesCommand)
    .version(packageVersion())
    .strict()
    .demandCommand(1, 'Name a command: coldpgs --help lists them.')
    .recommendCommands()
    .completion()
    .exitProcess(false)
    .fail((message: string | null, failure: Error | undefined) => {
      throw failure === undefined || message ? new UsageError(message ?? 'wrong usage') : failure;
    });
  try {
    await parser.parseAsync();
  } catch (failure) {
    process.exitCode = failure instanceof UsageError ? 2 : exitCodeOf(failure);
    process.stderr.write(`coldpgs: ${sentenceOf(failure)}\n`);
    if (process.exitCode === 1 && failure instanceof Error) process.stderr.write(`${failure.stack ?? ''}\n`);
  }
}

class UsageError extends Error {}
