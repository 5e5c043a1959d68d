import type { MemcgOverride } from '../engine/autopilot-overrides.js';
import {
  type CompactSettings,
  defaultCompactSettings,
  defaultMemcgSettings,
  type MemcgSettings,
} from '../engine/autopilot-settings.js';
import type { Engine } from '../engine/engine.js';
import { ColdpgsError } from '../errors.js';

/** What the autopilot is to go by, as far as somebody has said. */
export interface AutopilotStart {
  readonly memcg: Partial<MemcgSettings>;
  readonly compact: Partial<CompactSettings>;
  /** undefined: nothing is said of memcgs with settings of their own. */
  readonly overrides?: readonly MemcgOverride[] | undefined;
}

/** The same with nothing left open. */
export interface WholeAutopilotStart {
  readonly memcg: MemcgSettings;
  readonly compact: CompactSettings;
  readonly overrides: readonly MemcgOverride[];
}

/** Several sources laid over each other and over the defaults: of each key the last one that names it counts. */
export function overlaid(...starts: readonly AutopilotStart[]): WholeAutopilotStart {
  return {
    memcg: Object.assign({ ...defaultMemcgSettings }, ...starts.map(({ memcg }) => memcg)) as MemcgSettings,
    compact: Object.assign({ ...defaultCompactSettings }, ...starts.map(({ compact }) => compact)) as CompactSettings,
    overrides: starts.findLast(({ overrides }) => overrides !== undefined)?.overrides ?? [],
  };
}

/**
 * Sets the autopilot. On a machine without pressure stall information whatever would enable it is left out, with a sentence in coldpgs/errors that says
 * what to do; everything else goes on.
 */
export function startAutopilot(engine: Engine, { memcg, compact, overrides }: AutopilotStart): 'in force' | 'withheld' {
  try {
    engine.autopilot.change({ settings: memcg, ...(overrides && { overrides }) });
    engine.compactor.change(compact);
  } catch (failure) {
    if (!(failure instanceof ColdpgsError) || failure.code !== 'NO_PRESSURE') throw failure;
    engine.problems.report('mem_agent', failure.message);
    engine.autopilot.change({ settings: { ...memcg, disabled: true }, overrides: [] });
    engine.compactor.change({ ...compact, disabled: true });
    return 'withheld';
  }
  return 'in force';
}
