import * as z from 'zod';
import { ColdpgsError } from '../errors.js';
import type { EngineSettings } from '../engine/engine-settings.js';
import type { LockJournal } from '../engine/lock-loans.js';
import { trackerNames } from '../engine/tracker.js';
import { dialects } from '../files/dialect.js';
import { kidledDialects } from '../files/kidled-dialect.js';
import { transportChoices } from '../fuse/choose.js';

export const defaultStateDir = '/var/lib/coldpgs';

const wholeSeconds = 'must be whole seconds, 0 to 65535';
const percentages = 'must be a number from 0.1 to 100';

const permissions = z
  .string()
  .regex(/^0?[0-7]{3}$/, 'must be three octal digits, for example 0640')
  .transform((text) => parseInt(text, 8));

/** Everything that can be set at start, by the name of its command line option, with defaults and ranges. */
export const settingsSchema = z.strictObject({
  'scan-period': z
    .string()
    .regex(/^\d+$/, wholeSeconds)
    .transform(Number)
    .pipe(z.number(wholeSeconds).max(65535, wholeSeconds))
    .default(15)
    .describe('length of a scan period in seconds, the unit of ages and thresholds; 0 is off'),
  'scan-cpu-percent': z
    .string()
    .regex(/^\d+(\.\d+)?$/, percentages)
    .transform(Number)
    .pipe(z.number(percentages).min(0.1, percentages).max(100, percentages))
    .default(2)
    .describe('most of one processor that watching page ages may take, in percent; beyond it periods are stretched'),
  tracker: z.enum(trackerNames).default('mglru').describe('where page ages come from'),
  'log-level': z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('least level logged'),
  'state-dir': z
    .string()
    .min(1)
    .default(defaultStateDir)
    .describe('where counters and controls are kept over a restart'),
  'keep-lru-gen': z.boolean().default(false).describe('leave MgLRU as it is, even when it is off'),
  dialect: z
    .enum(Object.keys(dialects) as [keyof typeof dialects])
    .default('2.5')
    .describe('form of the files: 2.5 (bytes, 24 rows in kB) or doc (pages, 9 rows)'),
  'kidled-dialect': z
    .enum(Object.keys(kidledDialects) as [keyof typeof kidledDialects])
    .default('K-B')
    .describe(
      'form of memory.idle_page_stats and of the files of kidled: K-B is the one of 31 lines that koordlet reads',
    ),
  'flags-gate': z
    .enum(['off', 'strict'])
    .default('off')
    .describe('strict: bits 32-34 of memory.coldpgs.flags must allow a type before it is reclaimed'),
  'ignore-age': z
    .enum(['off', 'on'])
    .default('off')
    .describe(
      'on: bit 1 of flags and bit 36 of memory.coldpgs.flags let runs take pages of any age, as in coldpgs 3.0.0',
    ),
  children: z
    .enum(['skip', 'include'])
    .default('skip')
    .describe('include: a per-memcg run reclaims the online descendants as well'),
  'mode-global': permissions
    .optional()
    .describe('permissions of the writable files of /sys/kernel/mm/coldpgs, else 0600'),
  'mode-memcg': permissions.optional().describe('permissions of the memory.coldpgs.* files, else 0644'),
  owner: z
    .string()
    .regex(/^\d+:\d+$/, 'must be UID:GID in numbers')
    .default('0:0')
    .describe('owner of all files, as UID:GID'),
  transport: z
    .enum(transportChoices)
    .default('auto')
    .describe('how FUSE is spoken: dev-fuse (directly), fuse-native (libfuse 2), or auto: dev-fuse where it works'),
  'allow-mlocked': z
    .boolean()
    .default(false)
    .describe('let flags bit 0 reclaim mlocked memory: processes are traced to unlock it, see docs/mlocked.md'),
  simulate: z.boolean().default(false).describe('serve the tree over a simulated kernel'),
});

export type Settings = z.infer<typeof settingsSchema>;

/** Checks options as given. Throws BAD_SETTING naming each option that is wrong, what was given and what is allowed. */
export function parseSettings(given: Readonly<Record<string, unknown>>): Settings {
  const parsed = settingsSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  const sentences = parsed.error.issues.map((issue) => {
    const name = String(issue.path[0] ?? '');
    return Array.isArray(given[name])
      ? `--${name} is given more than once`
      : `--${name} ${JSON.stringify(given[name])}: ${issue.message}`;
  });
  throw new ColdpgsError('BAD_SETTING', 'EINVAL', `${sentences.join('. ')}. See coldpgs mount --help.`);
}

/** The part of the settings that the engine goes by. */
export function engineSettings(settings: Settings, lockJournal?: LockJournal): EngineSettings {
  return {
    scanPeriodMs: settings['scan-period'] * 1000,
    children: settings.children,
    flagsGate: settings['flags-gate'],
    ignoreAge: settings['ignore-age'],
    runsAtOnce: 4,
    tracker: settings.tracker,
    ...(settings['allow-mlocked'] && lockJournal && { lockJournal }),
    scanCpuPercent: settings['scan-cpu-percent'],
  };
}
