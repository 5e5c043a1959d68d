import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { execCommand } from './exec.js';
import { runParser } from './parser.js';
import { shellCommand } from './shell.js';

/** Runs `coldpgs exec` and `coldpgs shell` alone: what a script starts many times loads no daemon. Sets the exit code. */
export async function main(args: readonly string[] = hideBin(process.argv)): Promise<void> {
  const parser = yargs([...args])
    .scriptName('coldpgs')
    .command(execCommand)
    .command(shellCommand)
    .parserConfiguration({ 'populate--': true });
  await runParser(parser, 'coldpgs');
}
