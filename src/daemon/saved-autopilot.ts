import * as z from 'zod';
import { checkCompactSettings, checkMemcgSettings, textOfValue, valueOfText } from '../engine/autopilot-values.js';
import type { Engine } from '../engine/engine.js';
import { ColdpgsError, sentenceOf } from '../errors.js';
import { cgroupText, parseCgroup } from '../files/mem-agent-cgroups.js';
import type { Log } from '../log.js';
import { type AutopilotStart, overlaid, startAutopilot, type WholeAutopilotStart } from './autopilot-start.js';

/** Settings as the files have them: "never" has no number in JSON. */
const values = z.record(z.string(), z.string());

/** All settings of the autopilot in a form that JSON has. */
export const autopilotTextsSchema = z.strictObject({ memcg: values, compact: values, cgroups: z.array(z.string()) });

/** The settings of the autopilot in the state file: as the daemon was launched, and as they are wanted now. */
export const savedAutopilotSchema = z.strictObject({ launched: autopilotTextsSchema, now: autopilotTextsSchema });

type Texts = z.infer<typeof autopilotTextsSchema>;
type Saved = z.infer<typeof savedAutopilotSchema>;

/** What of the autopilot's settings survives the daemon. */
export class SavedAutopilot {
  /** What the command line and its files say. To be set before `restore`. */
  launched = overlaid();
  /** What this machine cannot do, but is wanted: the same command may come on a kernel that can. */
  #withheld: WholeAutopilotStart | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly log: Log,
  ) {}

  /** In a form that JSON has. */
  saved(): Saved {
    return { launched: autopilotTexts(this.launched), now: autopilotTexts(this.#wanted()) };
  }

  /**
   * Sets the autopilot as it was launched, but for what was changed by hand before: that stays as long as the launch says of it what it said then. A saved
   * value that is not allowed any more is left out, with a warning.
   */
  restore(saved: Saved | undefined): void {
    const { launched, log } = this;
    try {
      this.#start(saved ? withChanges(launched, saved) : launched);
    } catch (failure) {
      if (!saved || !(failure instanceof ColdpgsError)) throw failure;
      log.warn(
        { failure: sentenceOf(failure) },
        'saved settings of the autopilot cannot be used: it starts as it was launched',
      );
      this.#start(launched);
    }
  }

  /** The command line and its files say something else now, and what is different there was set. */
  relaunched(launched: WholeAutopilotStart, changed: AutopilotStart): void {
    this.launched = launched;
    this.#withheld &&= {
      memcg: { ...this.#withheld.memcg, ...changed.memcg },
      compact: { ...this.#withheld.compact, ...changed.compact },
      overrides: changed.overrides ?? this.#withheld.overrides,
    };
  }

  #start(start: WholeAutopilotStart): void {
    this.#withheld = startAutopilot(this.engine, start) === 'withheld' ? start : undefined;
  }

  /** What is in force, and what is withheld of it. */
  #wanted(): WholeAutopilotStart {
    const { autopilot, compactor } = this.engine;
    const inForce = { memcg: autopilot.settings, compact: compactor.settings, overrides: autopilot.overrides };
    if (!this.#withheld) return inForce;
    const { memcg, compact, overrides } = this.#withheld;
    return {
      memcg: { ...inForce.memcg, disabled: memcg.disabled },
      compact: { ...inForce.compact, disabled: compact.disabled },
      overrides: inForce.overrides.length > 0 ? inForce.overrides : overrides,
    };
  }
}

/** A launch with what was changed by hand since an earlier one that says the same of it. Throws BAD_VALUE. */
function withChanges(launched: WholeAutopilotStart, { launched: before, now }: Saved): WholeAutopilotStart {
  const today = autopilotTexts(launched);
  const kept = (half: 'memcg' | 'compact'): Texts['memcg'] =>
    Object.fromEntries(Object.entries(now[half]).filter(([key]) => before[half][key] === today[half][key]));
  const { cgroups } = before.cgroups.join('\n') === today.cgroups.join('\n') ? now : today;
  const changes = autopilotOfTexts({ memcg: kept('memcg'), compact: kept('compact'), cgroups });
  return {
    memcg: { ...launched.memcg, ...changes.memcg },
    compact: { ...launched.compact, ...changes.compact },
    overrides: changes.overrides,
  };
}

/** In a form that JSON has. */
export function autopilotTexts({ memcg, compact, overrides }: WholeAutopilotStart): Texts {
  return { memcg: textsOf(memcg), compact: textsOf(compact), cgroups: overrides.map(cgroupText) };
}

/** As {@link autopilotTexts} wrote it. Throws BAD_VALUE. */
export function autopilotOfTexts({ memcg, compact, cgroups }: Texts): AutopilotStart & {
  readonly overrides: WholeAutopilotStart['overrides'];
} {
  return {
    memcg: checkMemcgSettings(valuesOf(memcg)),
    compact: checkCompactSettings(valuesOf(compact)),
    overrides: cgroups.map(parseCgroup),
  };
}

function textsOf(settings: object): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [key, textOfValue(value as boolean | number)]),
  );
}

function valuesOf(texts: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, valueOfText(text)]));
}
