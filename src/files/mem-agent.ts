import {
  type CompactSettings,
  compactRows,
  type MemcgSettings,
  memcgRows,
  neverTimes,
  type SettingRow,
} from '../engine/autopilot-settings.js';
import {
  checkCompactSettings,
  checkMemcgSettings,
  type GivenSettings,
  textOfValue,
  valueOfText,
} from '../engine/autopilot-values.js';
import type { Engine } from '../engine/engine.js';
import { ColdpgsError } from '../errors.js';
import type { WriteContext } from './control-file.js';
import { refuse, strip } from './kernel-text.js';
import { afterCommands, cgroupText, parseCgroupCommand } from './mem-agent-cgroups.js';
import { compactStatusText, memcgStatusText } from './mem-agent-status.js';

/** One file of /sys/kernel/mm/mem_agent/memcg or compact. */
export interface MemAgentFile {
  readonly name: string;
  readonly mode: number;
  readonly render: (engine: Engine) => string;
  readonly apply?: (engine: Engine, text: string, context: WriteContext) => void | Promise<void>;
}

/** The files of the autopilot's memcg half: one for each key of MemAgentMemcgSet, all keys at once, memcgs with settings of their own, status, run. */
export const memAgentMemcgFiles: readonly MemAgentFile[] = [
  ...keyFiles(
    memcgRows,
    (engine) => engine.autopilot.settings,
    (engine, given) => engine.autopilot.change({ settings: checkMemcgSettings(given) }),
  ),
  settingsFile(
    ({ autopilot }) => autopilot.settings,
    ({ autopilot }, { cgroups, ...given }) => {
      const settings = checkMemcgSettings(given);
      if (cgroups === undefined) return autopilot.change({ settings });
      if (!Array.isArray(cgroups))
        throw refuse('cgroups', JSON.stringify(cgroups), 'a list of texts such as "add path=/pod"');
      const commands = cgroups.map((command) => parseCgroupCommand(String(command)));
      autopilot.change({ settings, overrides: afterCommands(autopilot.overrides, commands) });
    },
  ),
  {
    name: 'cgroups',
    mode: 0o644,
    render: ({ autopilot }) => autopilot.overrides.map((one) => `${cgroupText(one)}\n`).join(''),
    apply: ({ autopilot }, text) => {
      const commands = strip(text).split('\n').map(parseCgroupCommand);
      autopilot.change({ overrides: afterCommands(autopilot.overrides, commands) });
    },
  },
  { name: 'status', mode: 0o444, render: memcgStatusText },
  runFile((engine, signal) => engine.autopilot.runNow(signal)),
];

/** The files of the autopilot's compact half: one for each key of MemAgentCompactSet, all keys at once, status, run. */
export const memAgentCompactFiles: readonly MemAgentFile[] = [
  ...keyFiles(
    compactRows,
    (engine) => engine.compactor.settings,
    (engine, given) => engine.compactor.change(checkCompactSettings(given)),
  ),
  settingsFile(
    ({ compactor }) => compactor.settings,
    ({ compactor }, given) => compactor.change(checkCompactSettings(given)),
  ),
  { name: 'status', mode: 0o444, render: compactStatusText },
  runFile((engine, signal) => engine.compactor.runNow(signal)),
];

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

/** The least level that the daemon logs (mem-agent-ctl loglevelset). */
export function logLevelFile(log: { level?: string }): MemAgentFile {
  return {
    name: 'log_level',
    mode: 0o644,
    render: () => `${log.level ?? ''}\n`,
    apply: (_engine, text) => {
      const level = strip(text);
      if (!logLevels.includes(level)) throw refuse('log_level', text, `one of ${logLevels.join(', ')}`);
      log.level = level;
    },
  };
}

function keyFiles<Settings extends MemcgSettings | CompactSettings>(
  rows: readonly SettingRow<Settings>[],
  settingsOf: (engine: Engine) => Settings,
  change: (engine: Engine, given: GivenSettings) => void,
): MemAgentFile[] {
  return rows.map(({ key }) => ({
    name: key,
    mode: 0o644,
    render: (engine) => `${textOfValue(settingsOf(engine)[key] as boolean | number)}\n`,
    apply: (engine, text) => change(engine, { [key]: valueOfText(strip(text)) }),
  }));
}

/** All keys as JSON. What is written changes the keys it names, all or none; for memcgs, `cgroups` may have commands as the file of that name takes them. */
function settingsFile(
  settingsOf: (engine: Engine) => MemcgSettings | CompactSettings,
  change: (engine: Engine, given: GivenSettings) => void,
): MemAgentFile {
  return {
    name: 'settings',
    mode: 0o644,
    render: (engine) => `${jsonOf(settingsOf(engine))}\n`,
    apply: (engine, text) => change(engine, parseJson(strip(text))),
  };
}

/** Does now what the end of the period would do, and returns when it is done. */
function runFile(run: (engine: Engine, signal: AbortSignal) => Promise<void>): MemAgentFile {
  return {
    name: 'run',
    mode: 0o200,
    render: () => '',
    apply: async (engine, text, { signal }) => {
      if (strip(text) !== '1') throw refuse('run', text, '1, which runs it now');
      await run(engine, signal);
    },
  };
}

/** JSON has no Infinity; a number as large as "never" is written as it is, digit by digit. */
function jsonOf(settings: MemcgSettings | CompactSettings): string {
  const entries = Object.entries(settings) as [string, boolean | number][];
  return `{${entries.map(([key, value]) => `"${key}":${value === Infinity ? neverTimes.u64 : String(value)}`).join(',')}}`;
}

function parseJson(text: string): GivenSettings {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (failure) {
    throw new ColdpgsError(
      'BAD_VALUE',
      'EINVAL',
      'settings takes JSON, as in {"period_secs":600}. Nothing was changed.',
      failure,
    );
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw refuse('settings', text, 'a JSON object, as in {"period_secs":600}');
  return given as GivenSettings;
}
