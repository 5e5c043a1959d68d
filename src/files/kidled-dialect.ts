import type { IdleStats } from '../engine/idle-stats.js';
import { idleRows, slabRow } from '../engine/histogram.js';

/** A form of the files of kidled (docs/files.md). */
export interface KidledDialect {
  readonly name: KidledDialectName;
  /** use_hierarchy is there, and says whether memory.idle_page_stats includes descendants; else it always does. */
  readonly hasUseHierarchy: boolean;
  readonly hasScanTarget: boolean;
  /** memory.idle_page_stats.local is there, for a memcg's own pages. */
  readonly hasLocal: boolean;
  readonly hasSlab: boolean;
  /** Pages and slab have a count of rounds each. */
  readonly hasBothScans: boolean;
}

export type KidledDialectName = 'K-A' | 'K-B' | 'K-C' | 'K-D' | "K-D'";

export const kidledDialects: Readonly<Record<KidledDialectName, KidledDialect>> = {
  'K-A': dialect('K-A', { hasUseHierarchy: true }),
  'K-B': dialect('K-B', { hasUseHierarchy: true, hasScanTarget: true, hasSlab: true, hasBothScans: true }),
  'K-C': dialect('K-C', { hasLocal: true }),
  'K-D': dialect('K-D', { hasScanTarget: true, hasLocal: true, hasSlab: true, hasBothScans: true }),
  "K-D'": dialect("K-D'", { hasScanTarget: true, hasLocal: true, hasSlab: true }),
};

/** What the text of memory.idle_page_stats says besides the statistics. */
export interface IdlePageStatsHeader {
  readonly periodSeconds: number;
  readonly useHierarchy: 0 | 1;
}

/** The text of memory.idle_page_stats, as the kernel's seq_file has it. */
export function idlePageStatsText(
  { buckets, pageScans, slabScans, histogram }: IdleStats,
  { periodSeconds, useHierarchy }: IdlePageStatsHeader,
  { hasUseHierarchy, hasSlab, hasBothScans }: KidledDialect,
): string {
  const on = buckets.length > 0;
  const header = [
    '# version: 1.0',
    ...(hasBothScans ? [`# page_scans: ${pageScans}`, `# slab_scans: ${slabScans}`] : [`# scans: ${pageScans}`]),
    `# scan_period_in_seconds: ${periodSeconds}`,
    ...(hasUseHierarchy ? [`# use_hierarchy: ${useHierarchy}`] : []),
    `# buckets: ${on ? buckets.join(',') : 'no valid bucket available'}`,
  ];
  if (!on) return lines(header);
  const rows = idleRows.slice(0, hasSlab ? idleRows.length : slabRow).map((name, row) => {
    const cells = buckets.map((_bucket, column) => String(histogram[row * buckets.length + column] ?? 0));
    return `  ${line(name, cells)}`;
  });
  return lines([...header, ...legend(hasSlab), `# ${line(hasSlab ? '|||||' : '||||', columnNames(buckets))}`, ...rows]);
}

function legend(hasSlab: boolean): string[] {
  return [
    '#',
    '#   _-----=> clean/dirty',
    '#  / _----=> swap/file',
    '# | / _---=> evict/unevict',
    '# || / _--=> inactive/active',
    ...(hasSlab ? ['# ||| / _-=> slab', '# |||| /'] : ['# ||| /']),
  ];
}

function columnNames(buckets: readonly number[]): string[] {
  return buckets.map((from, column) => `[${from},${buckets[column + 1] ?? '+inf'})`);
}

function line(name: string, cells: readonly string[]): string {
  return name.padEnd(8) + cells.map((cell) => ` ${cell.padStart(14)}`).join('');
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('');
}

function dialect(name: KidledDialectName, has: Partial<KidledDialect>): KidledDialect {
  return {
    hasUseHierarchy: false,
    hasScanTarget: false,
    hasLocal: false,
    hasSlab: false,
    hasBothScans: false,
    ...has,
    name,
  };
}
