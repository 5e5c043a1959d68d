import type { CommandModule } from 'yargs';
import { Daemon } from '../daemon/daemon.js';
import { createLog } from '../daemon/log.js';
import { parseSettings, settingsSchema } from '../daemon/settings.js';
import { hearSupervisor, supervision } from '../daemon/supervised.js';

type Arguments = Record<string, unknown> & { mountpoint: string };

/** coldpgs mount [MOUNTPOINT]: serves the tree in the foreground until SIGTERM, SIGINT, or somebody unmounts it. */
export const mountCommand: CommandModule<object, Arguments> = {
  command: 'mount [mountpoint]',
  describe: 'Mount the tree and serve it in the foreground until Ctrl-C or SIGTERM',
  builder: (command) => {
    for (const [name, schema] of Object.entries(settingsSchema.shape)) {
      const flag = name === 'simulate' || name === 'keep-lru-gen';
      command.option(name, {
        describe: schema.description ?? '',
        ...(flag ? { type: 'boolean' as const } : { type: 'string' as const, requiresArg: true }),
      });
    }
    return command.positional('mountpoint', {
      type: 'string',
      default: '/run/coldpgs',
      describe: 'an empty folder; /run/coldpgs is made when it is missing',
    });
  },
  handler: async (given) => {
    const options = Object.fromEntries(
      Object.keys(settingsSchema.shape).flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])),
    );
    const settings = parseSettings(options);
    const log = await createLog(settings['log-level']);
    const supervised = supervision();
    const daemon = new Daemon(given.mountpoint, settings, log, supervised);
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
      process.on(signal, () => daemon.stop(`received ${signal}`));
    if (supervised)
      hearSupervisor(
        () => daemon.handOver(),
        () => log.warn({}, 'the supervisor has gone: the mount does not survive this process any more'),
      );
    await daemon.run();
  },
};
