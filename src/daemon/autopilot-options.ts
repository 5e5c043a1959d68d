import { compactRows, memcgRows } from '../engine/autopilot-settings.js';
import { conflictOf, type MemcgOverride } from '../engine/autopilot-overrides.js';
import { checkCompactSettings, checkMemcgSettings, valueOfText } from '../engine/autopilot-values.js';
import { ColdpgsError } from '../errors.js';
import { parseCgroup } from '../files/mem-agent-cgroups.js';
import type { AutopilotStart } from './autopilot-start.js';

/** A command line option of the autopilot, as mem-agent-srv and mem-agent-ctl have it. */
export interface AutopilotOption {
  /** Without the dashes in front. */
  readonly name: string;
  readonly half: 'memcg' | 'compact';
  readonly key: string;
  readonly describe: string;
}

/** `--memcg-period-secs` and so on: the half and the key. Keys that begin with the name of their half are not given it twice. */
export const autopilotOptions: readonly AutopilotOption[] = [
  ...memcgRows.map(({ key, allowed, says }) => option('memcg', key, `${says}: ${allowed}`)),
  ...compactRows.map(({ key, allowed, says }) => option('compact', key, `${says}: ${allowed}`)),
];

/** The option that gives a memcg settings of its own. */
export const cgroupsOption = {
  name: 'memcg-cgroups',
  describe: 'settings of one memcg: path=/pod,numa-id=0:1,no-subdir=true,period-secs=60,...; may be given again',
} as const;

/** What the options on a command line say. Throws BAD_SETTING with a sentence for each that is wrong. */
export function parseAutopilotOptions(given: Readonly<Record<string, unknown>>): AutopilotStart {
  const valuesOf = (half: AutopilotOption['half']): Record<string, unknown> =>
    Object.fromEntries(
      autopilotOptions
        .filter((one) => one.half === half && given[one.name] !== undefined)
        .map(({ name, key }) => [key, valueOfText(String(given[name]))]),
    );
  const cgroups = given[cgroupsOption.name];
  try {
    return {
      memcg: checkMemcgSettings(valuesOf('memcg'), 'memcg'),
      compact: checkCompactSettings(valuesOf('compact'), 'compact'),
      ...(cgroups !== undefined && { overrides: parseCgroups([cgroups].flat() as string[]) }),
    };
  } catch (failure) {
    if (!(failure instanceof ColdpgsError)) throw failure;
    throw new ColdpgsError('BAD_SETTING', 'EINVAL', failure.message, failure.cause);
  }
}

/** Throws BAD_VALUE. */
function parseCgroups(texts: readonly string[]): MemcgOverride[] {
  const overrides = texts.map(parseCgroup);
  const conflict = conflictOf(overrides);
  if (conflict !== undefined) throw new ColdpgsError('BAD_VALUE', 'EINVAL', `--${cgroupsOption.name}: ${conflict}`);
  return overrides;
}

function option(half: AutopilotOption['half'], key: string, describe: string): AutopilotOption {
  const name = (key.startsWith(`${half}_`) ? key : `${half}_${key}`).replaceAll('_', '-');
  return { name, half, key, describe };
}
