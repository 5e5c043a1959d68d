import type { CommandModule } from 'yargs';
import { autopilotOptions, cgroupsOption } from '../daemon/autopilot-options.js';
import { Checkpoint } from '../daemon/checkpoint.js';
import { Daemon } from '../daemon/daemon.js';
import { chooseLaunch } from '../daemon/last-launch.js';
import { gatherLaunch, type Launch, sourceOptions } from '../daemon/launch.js';
import { createLog } from '../daemon/log.js';
import { memAgentLaunch } from '../daemon/mem-agent-launch.js';
import { settingsSchema } from '../daemon/settings.js';
import { sentenceOf } from '../errors.js';
import { hearSupervisor, supervision } from '../daemon/supervised.js';

type Arguments = Record<string, unknown> & { mountpoint: string };

/** coldpgs mount [MOUNTPOINT]: serves the tree in the foreground until SIGTERM, SIGINT, or somebody unmounts it. */
export const mountCommand: CommandModule<object, Arguments> = {
  command: 'mount [mountpoint]',
  describe: 'Mount the tree and serve it in the foreground until Ctrl-C or SIGTERM',
  builder: (command) => {
    for (const [name, schema] of Object.entries(settingsSchema.shape)) {
      const flag = schema.safeParse(true).success;
      command.option(name, {
        describe: schema.description ?? '',
        ...(flag ? { type: 'boolean' as const } : { type: 'string' as const, requiresArg: true }),
      });
    }
    for (const [name, describe] of Object.entries(sourceOptions))
      command.option(name, { type: 'string', requiresArg: true, describe });
    for (const { name, describe } of autopilotOptions)
      command.option(name, { type: 'string', requiresArg: true, describe, group: 'Autopilot:' });
    command.option(cgroupsOption.name, {
      type: 'string',
      array: true,
      requiresArg: true,
      describe: cgroupsOption.describe,
      group: 'Autopilot:',
    });
    command.option('as-mem-agent', { type: 'boolean', hidden: true, describe: 'started as mem-agent-srv' });
    return command.positional('mountpoint', {
      type: 'string',
      default: '/run/coldpgs',
      describe: 'an empty folder; /run/coldpgs is made when it is missing',
    });
  },
  handler: async (given) => {
    const gather = () => gatherMount(given);
    const supervised = supervision();
    const checkpoint = supervised && new Checkpoint(supervised.checkpoint, supervised.incarnation);
    const { launch, refused } = chooseLaunch(gather, checkpoint?.inheritedLaunch, supervised?.lastStateOnly);
    const log = await createLog(launch.settings['log-level']);
    if (refused !== undefined)
      log.error({ failure: refused }, 'the settings are not taken: coldpgs goes on with those it had');
    const daemon = new Daemon(given.mountpoint, launch, log, supervised, checkpoint);
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => daemon.stop(`received ${signal}`));
    const readAgain = async (): Promise<void> => {
      try {
        await daemon.reconfigure(gather);
        log.info({ config: given['config'] }, 'the configuration was read again');
      } catch (failure) {
        log.error({ config: given['config'], failure: sentenceOf(failure) }, 'the changed configuration was not taken');
      }
    };
    process.on('SIGHUP', () => {
      if (given['config'] === undefined) daemon.stop('received SIGHUP');
      else void readAgain();
    });
    if (supervised)
      hearSupervisor(
        () => daemon.handOver(),
        () => log.warn({}, 'the supervisor has gone: the mount does not survive this process any more'),
      );
    await daemon.run();
  },
};

/** All that a daemon with these arguments is started with, files read. Throws BAD_SETTING. */
export function gatherMount(given: Readonly<Record<string, unknown>>): Launch {
  return gatherLaunch(given, given['as-mem-agent'] ? memAgentLaunch : undefined);
}
