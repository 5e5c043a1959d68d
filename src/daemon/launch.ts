import { ColdpgsError } from '../errors.js';
import { parseAutopilotOptions } from './autopilot-options.js';
import { type AutopilotStart, overlaid, type WholeAutopilotStart } from './autopilot-start.js';
import { readConfigFile } from './config-file.js';
import { importCmdline, importKataFile } from './kata-import.js';
import { parseSettings, type Settings, settingsSchema } from './settings.js';

/** All that a daemon is started with. */
export interface Launch {
  /** Options as they were given, on the command line or in the configuration file. */
  readonly options: Readonly<Record<string, string | boolean>>;
  readonly settings: Settings;
  readonly autopilot: WholeAutopilotStart;
}

/** Options that name a file to take settings from. */
export const sourceOptions = {
  config: 'YAML file with these options by name, and the autopilot under mem_agent; options given here count more',
  'import-kata': 'kata configuration.toml to take the mem_agent settings from',
  'import-cmdline': 'kernel command line (such as /proc/cmdline) to take agent.mem_agent_ settings from',
} as const;

/** Settings that may change while the daemon runs; the autopilot's may as well. */
const changeable: readonly string[] = ['scan-period'];

/**
 * Gathers the settings of a daemon: its defaults, then the kernel command line, Kata's file, the configuration file and the options given, each over
 * those before. Throws BAD_SETTING naming everything that is wrong.
 */
export function gatherLaunch(given: Readonly<Record<string, unknown>>, defaults?: AutopilotStart): Launch {
  const path = (name: keyof typeof sourceOptions): string | undefined => {
    const named = given[name];
    return typeof named === 'string' ? named : undefined;
  };
  const [cmdline, kata, config] = [path('import-cmdline'), path('import-kata'), path('config')];
  const file = config === undefined ? undefined : readConfigFile(config);
  const options = Object.fromEntries(
    Object.keys(settingsSchema.shape).flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])),
  );
  return launchOf(
    { ...file?.options, ...options },
    ...[
      defaults,
      cmdline === undefined ? undefined : importCmdline(cmdline),
      kata === undefined ? undefined : importKataFile(kata),
      file?.autopilot,
      parseAutopilotOptions(given),
    ].filter((one) => one !== undefined),
  );
}

/** A launch with these options, and with what is said of the autopilot, each over those before. Throws BAD_SETTING. */
export function launchOf(options: Readonly<Record<string, unknown>>, ...starts: readonly AutopilotStart[]): Launch {
  const settings = parseSettings(options);
  return { options: options as Launch['options'], settings, autopilot: overlaid(...starts) };
}

/** What of a launch can be changed while the daemon runs is different in another one. */
export interface LaunchChange {
  readonly scanPeriod: number | undefined;
  readonly autopilot: AutopilotStart;
}

/** How a launch differs from the one before. Throws BAD_SETTING where that takes a restart; nothing may be changed then. */
export function launchChange(before: Launch, after: Launch): LaunchChange {
  const names = Object.keys(settingsSchema.shape) as (keyof Settings)[];
  const fixed = names.filter((name) => before.settings[name] !== after.settings[name] && !changeable.includes(name));
  if (fixed.length > 0)
    throw new ColdpgsError(
      'BAD_SETTING',
      'EINVAL',
      `${fixed.join(', ')} cannot change while coldpgs runs: restart it. Nothing was changed.`,
    );
  const [one, other] = [before.autopilot, after.autopilot];
  const sameOverrides = JSON.stringify(one.overrides) === JSON.stringify(other.overrides);
  return {
    scanPeriod:
      before.settings['scan-period'] === after.settings['scan-period'] ? undefined : after.settings['scan-period'],
    autopilot: {
      memcg: changed(one.memcg, other.memcg),
      compact: changed(one.compact, other.compact),
      ...(!sameOverrides && { overrides: other.overrides }),
    },
  };
}

function changed<Values extends object>(before: Values, after: Values): Partial<Values> {
  const keys = Object.keys(after) as (keyof Values)[];
  return Object.fromEntries(
    keys.filter((key) => before[key] !== after[key]).map((key) => [key, after[key]]),
  ) as Partial<Values>;
}
