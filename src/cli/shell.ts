import type { CommandModule } from 'yargs';
import { type ExecArguments, run, withExecOptions } from './exec.js';

/** coldpgs shell [--layout v2|v1]: the user's shell, where the files are where the kernel would have them. */
export const shellCommand: CommandModule<object, ExecArguments> = {
  command: 'shell',
  describe: 'Run your shell with the files where the kernel would have them',
  builder: withExecOptions,
  handler: (given) => run(given, [process.env['SHELL'] ?? '/bin/sh']),
};
