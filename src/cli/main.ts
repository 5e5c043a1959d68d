import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { packageVersion } from '../daemon/package-version.js';
import { capabilitiesCommand } from './capabilities.js';
import { checkConfigCommand } from './check-config.js';
import { ctlCommand } from './ctl.js';
import { execCommand } from './exec.js';
import { mountCommand } from './mount.js';
import { runParser } from './parser.js';
import { reloadCommand } from './reload.js';
import { shellCommand } from './shell.js';

/** Runs the command line and sets the exit code. */
export async function main(args: readonly string[] = hideBin(process.argv)): Promise<void> {
  const parser = yargs([...args])
    .scriptName('coldpgs')
    .usage('$0 COMMAND\n\nThe cold-memory files of kidled and coldpgs on a mainline kernel.')
    .command(mountCommand)
    .command(reloadCommand)
    .command(capabilitiesCommand)
    .command(ctlCommand)
    .command(checkConfigCommand)
    .command(execCommand)
    .command(shellCommand)
    .parserConfiguration({ 'populate--': true })
    .version(packageVersion())
    .completion();
  await runParser(parser, 'coldpgs');
}
