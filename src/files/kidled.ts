import type { Engine } from '../engine/engine.js';
import { type Buckets, mostBuckets } from '../engine/histogram.js';
import { maxAgePeriods } from '../engine/coldness.js';
import type { IdleStats } from '../engine/idle-stats.js';
import { ColdpgsError } from '../errors.js';
import { parseUnsigned, refuse, strip } from './kernel-text.js';
import { type IdlePageStatsHeader, idlePageStatsText, type KidledDialect } from './kidled-dialect.js';
import type { MemcgFile } from './memcg.js';

/** One file of /sys/kernel/mm/kidled. */
export interface KidledFile {
  readonly name: string;
  readonly mode: number;
  /** Whether the dialect has the file. */
  readonly isIn: (dialect: KidledDialect) => boolean;
  readonly render: (engine: Engine) => string;
  readonly apply: (engine: Engine, text: string) => void;
}

/** The longest scan period in seconds. */
const longestPeriodSeconds = 65_535;

/** The files of /sys/kernel/mm/kidled (reference: kidled, section 4). Values are parsed as they are: no blanks are stripped. */
export const kidledFiles: readonly KidledFile[] = [
  {
    name: 'scan_period_in_seconds',
    mode: 0o644,
    isIn: () => true,
    render: ({ settings }) => `${periodSeconds(settings.scanPeriodMs)}\n`,
    apply: (engine, text) => engine.setScanPeriod(number('scan_period_in_seconds', text, 0, longestPeriodSeconds)),
  },
  {
    name: 'use_hierarchy',
    mode: 0o644,
    isIn: ({ hasUseHierarchy }) => hasUseHierarchy,
    render: ({ kidled }) => `${kidled.useHierarchy}\n`,
    apply: ({ kidled }, text) => {
      kidled.useHierarchy = number('use_hierarchy', text, 0, 1) as 0 | 1;
    },
  },
  {
    name: 'scan_target',
    mode: 0o644,
    isIn: ({ hasScanTarget }) => hasScanTarget,
    render: ({ kidled }) => `${kidled.scanTarget}\n`,
    apply: ({ kidled }, text) => {
      kidled.scanTarget = number('scan_target', text, 1, 3);
    },
  },
];

/** The memory.idle_page_stats files of a memcg in a dialect, the root's included (reference: kidled, section 5). */
export function idlePageStatsFiles(dialect: KidledDialect): readonly MemcgFile[] {
  const textOf = keptText(dialect);
  const file = (name: string, scopeOf: (engine: Engine, path: string) => 'own' | 'tree'): MemcgFile => ({
    name,
    mode: 0o644,
    render: (memcg, { engine }) => {
      const { kidled, settings } = engine;
      const stats = kidled.stats(memcg, scopeOf(engine, memcg.path));
      const header = { periodSeconds: periodSeconds(settings.scanPeriodMs), useHierarchy: kidled.useHierarchy };
      return textOf(stats, header);
    },
    apply: (memcg, text, { engine }) => engine.kidled.setBuckets(memcg, parseBuckets(name, text)),
    onChange: (_memcg, { engine }, listener) => engine.kidled.onChange(listener),
  });
  const whole = file('memory.idle_page_stats', ({ kidled }, path) =>
    !dialect.hasUseHierarchy || path === '/' || kidled.useHierarchy === 1 ? 'tree' : 'own',
  );
  return dialect.hasLocal ? [whole, file('memory.idle_page_stats.local', () => 'own')] : [whole];
}

/** The text of statistics, made once for the same ones: most readers come between two looks. */
function keptText(dialect: KidledDialect): (stats: IdleStats, header: IdlePageStatsHeader) => string {
  const kept = new WeakMap<IdleStats, IdlePageStatsHeader & { readonly text: string }>();
  return (stats, header) => {
    const known = kept.get(stats);
    if (known?.periodSeconds === header.periodSeconds && known.useHierarchy === header.useHierarchy) return known.text;
    const text = idlePageStatsText(stats, header, dialect);
    kept.set(stats, { ...header, text });
    return text;
  };
}

/**
 * Buckets as they are written: numbers of 1 to 255, each larger than the one before, separated by blanks and commas; none switches accounting
 * off. Throws BAD_VALUE: E2BIG for a ninth, which is not looked at, EINVAL for the rest.
 */
export function parseBuckets(file: string, text: string): Buckets {
  const buckets: number[] = [];
  const entries = strip(text).replace(/[ ,]+$/, '');
  if (entries === '' && !strip(text).startsWith(',')) return buckets;
  for (const entry of entries.split(/[ ,]+/)) {
    if (buckets.length === mostBuckets)
      throw new ColdpgsError(
        'BAD_VALUE',
        'E2BIG',
        `${file} takes at most ${mostBuckets} buckets. Nothing was changed.`,
      );
    const bucket = Number(entry.endsWith('\n') ? undefined : parseUnsigned(entry, 10, BigInt(maxAgePeriods)));
    if (!(bucket > (buckets.at(-1) ?? 0)))
      throw refuse(file, text, `at most ${mostBuckets} increasing numbers from 1 to ${maxAgePeriods}`);
    buckets.push(bucket);
  }
  return buckets;
}

function periodSeconds(periodMs: number): number {
  return Math.round(periodMs / 1000);
}

function number(file: string, text: string, least: number, most: number): number {
  const value = parseUnsigned(text, 10, BigInt(most));
  if (value === undefined || value < least)
    throw refuse(`kidled/${file}`, text, `a decimal number from ${least} to ${most}`);
  return Number(value);
}
