import * as z from 'zod';
import { checkCompactSettings, checkMemcgSettings, textOfValue, valueOfText } from '../engine/autopilot-values.js';
import type { Engine } from '../engine/engine.js';
import { ColdpgsError, sentenceOf } from '../errors.js';
import { cgroupText, parseCgroup } from '../files/mem-agent-cgroups.js';
import type { Log } from '../log.js';
import { startAutopilot, type WholeAutopilotStart } from './autopilot-start.js';

/** Settings as the files have them: "never" has no number in JSON. */
const values = z.record(z.string(), z.string());
const whole = z.strictObject({ memcg: values, compact: values, cgroups: z.array(z.string()) });

/** The settings of the autopilot in the state file: as the daemon was launched, and as they were then. */
export const savedAutopilotSchema = z.strictObject({ launched: whole, now: whole });

type Saved = z.infer<typeof savedAutopilotSchema>;

export function savedAutopilot({ autopilot, compactor }: Engine, launched: WholeAutopilotStart): Saved {
  const now = { memcg: autopilot.settings, compact: compactor.settings, overrides: autopilot.overrides };
  return { launched: texts(launched), now: texts(now) };
}

/**
 * Sets the autopilot as it was launched, but for what was changed by hand before: that stays as long as the launch says of it what it said then. A saved
 * value that is not allowed any more is left out, with a warning.
 */
export function restoreAutopilot(
  engine: Engine,
  launched: WholeAutopilotStart,
  saved: Saved | undefined,
  log: Log,
): void {
  if (!saved) return startAutopilot(engine, launched, log);
  const { launched: before, now } = saved;
  const today = texts(launched);
  const kept = (half: 'memcg' | 'compact'): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(now[half])
        .filter(([key]) => before[half][key] === today[half][key])
        .map(([key, text]) => [key, valueOfText(text, key)]),
    );
  try {
    startAutopilot(
      engine,
      {
        memcg: { ...launched.memcg, ...checkMemcgSettings(kept('memcg')) },
        compact: { ...launched.compact, ...checkCompactSettings(kept('compact')) },
        overrides:
          before.cgroups.join('\n') === today.cgroups.join('\n') ? now.cgroups.map(parseCgroup) : launched.overrides,
      },
      log,
    );
  } catch (failure) {
    if (!(failure instanceof ColdpgsError)) throw failure;
    log.warn(
      { failure: sentenceOf(failure) },
      'saved settings of the autopilot cannot be used: it starts as it was launched',
    );
    startAutopilot(engine, launched, log);
  }
}

function texts({ memcg, compact, overrides }: WholeAutopilotStart): Saved['now'] {
  return { memcg: textsOf(memcg), compact: textsOf(compact), cgroups: overrides.map(cgroupText) };
}

function textsOf(settings: object): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [key, textOfValue(value as boolean | number)]),
  );
}
