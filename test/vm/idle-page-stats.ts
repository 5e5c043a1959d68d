/** What memory.idle_page_stats says, in the dialect K-B. */
export interface IdlePageStats {
  readonly pageScans: number;
  readonly buckets: readonly number[];
  /** Bytes by row, a number for each bucket. */
  readonly rows: ReadonlyMap<string, readonly number[]>;
}

export function parseIdlePageStats(text: string): IdlePageStats {
  const header = (name: string): string => new RegExp(`^# ${name}: (.*)$`, 'm').exec(text)?.[1] ?? '';
  const rows = Array.from(text.matchAll(/^ {2}([a-z]{4}) +(.*)$/gm), ([, name = '', cells = '']) => {
    return [name, cells.trim().split(/ +/).map(Number)] as const;
  });
  return {
    pageScans: Number(header('page_scans')),
    buckets: header('buckets').split(',').map(Number),
    rows: new Map(rows),
  };
}

/** The sum of some rows in the columns whose bound is at least `fromPeriods`. */
export function bytesFrom(stats: IdlePageStats, names: readonly string[], fromPeriods: number): number {
  return bytesWhere(stats, names, (bound) => bound >= fromPeriods);
}

/** The sum of some rows in the column that begins at `atPeriods`. */
export function bytesAt(stats: IdlePageStats, names: readonly string[], atPeriods: number): number {
  return bytesWhere(stats, names, (bound) => bound === atPeriods);
}

function bytesWhere(
  { buckets, rows }: IdlePageStats,
  names: readonly string[],
  isMeant: (bound: number) => boolean,
): number {
  let bytes = 0;
  for (const name of names)
    (rows.get(name) ?? []).forEach((cell, column) => {
      if (isMeant(buckets[column] ?? 0)) bytes += cell;
    });
  return bytes;
}
