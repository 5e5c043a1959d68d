import type { CommandModule } from 'yargs';
import { reloadDaemon } from '../daemon/reload.js';
import { defaultStateDir } from '../daemon/settings.js';
import { checkLaunchOf } from './running-mount.js';

/** coldpgs reload: new code, same mount. */
export const reloadCommand: CommandModule<object, { 'state-dir': string }> = {
  command: 'reload',
  describe: 'Replace the running daemon by one with the code on disk now; the mount and open files stay',
  builder: (command) =>
    command.option('state-dir', {
      type: 'string',
      requiresArg: true,
      default: defaultStateDir,
      describe: 'the state folder of the running coldpgs',
    }),
  handler: async (given) => {
    const pid = await reloadDaemon(given['state-dir'], checkLaunchOf);
    process.stdout.write(`reloaded: process ${pid} serves the mount now\n`);
  },
};
