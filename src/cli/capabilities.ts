import type { CommandModule } from 'yargs';
import { inspectMachine } from '../daemon/machine.js';

/** coldpgs capabilities: what this machine can do, and whether coldpgs can do its work here (exit code 6 when not). */
export const capabilitiesCommand: CommandModule = {
  command: 'capabilities',
  describe: 'Print what this machine can do; exit code 6 when coldpgs cannot work on it',
  handler: async () => {
    const { text, obstacle } = await inspectMachine();
    process.stdout.write(text);
    if (obstacle) throw obstacle;
  },
};
