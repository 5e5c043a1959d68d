import type { CommandModule } from 'yargs';
import { configSchemaText } from '../daemon/config-schema.js';
import { gatherLaunch } from '../daemon/launch.js';

/** coldpgs check-config FILE: whether a daemon would take a configuration file; exit code 2 when not, with each mistake's line and column. */
export const checkConfigCommand: CommandModule<object, { file: string | undefined; schema: boolean }> = {
  command: 'check-config [file]',
  describe: 'Check a configuration file; exit code 2 when it has mistakes, each with line and column',
  builder: (command) =>
    command
      .positional('file', { type: 'string', describe: 'the file, as for coldpgs mount --config' })
      .option('schema', { type: 'boolean', default: false, describe: 'print the JSON Schema of such files instead' })
      .check(({ file, schema }) => file !== undefined || schema || 'Name a file, or say --schema.'),
  handler: ({ file, schema }) => {
    if (schema || file === undefined) return void process.stdout.write(configSchemaText());
    gatherLaunch({ config: file });
    process.stdout.write(`${file}: in order\n`);
  },
};
