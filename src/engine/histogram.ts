import { maxAgePeriods } from './coldness.js';
import type { IdleCohort } from './tracker.js';

/** The rows of memory.idle_page_stats, at the index that their letters make: dirty 1, file 2, unevictable 4, active 8; slab behind them. */
export const idleRows = [
  'csei',
  'dsei',
  'cfei',
  'dfei',
  'csui',
  'dsui',
  'cfui',
  'dfui',
  'csea',
  'dsea',
  'cfea',
  'dfea',
  'csua',
  'dsua',
  'cfua',
  'dfua',
  'slab',
] as const;

export const slabRow = idleRows.indexOf('slab');

const rowIndex = Object.fromEntries(idleRows.map((row, index) => [row, index])) as Record<
  (typeof idleRows)[number],
  number
>;

/** Lower bounds of the columns in scan periods: strictly increasing, at most 8, each 1 to 255. None: accounting is off. */
export type Buckets = readonly number[];

export const defaultBuckets: Buckets = [1, 2, 5, 15, 30, 60, 120, 240];
export const mostBuckets = 8;

/** Bytes by row and bucket: `bytes[row * buckets.length + column]`. Whole pages, never negative. */
export type Histogram = Float64Array;

/** What memory.stat says of a memcg's own memory, in bytes. */
export interface Footprint {
  /** Shmem included. */
  readonly anonBytes: number;
  /** Page cache without shmem. */
  readonly fileBytes: number;
  /** Page cache that is dirty or being written. */
  readonly dirtyBytes: number;
  readonly unevictableAnonBytes: number;
  readonly unevictableFileBytes: number;
  readonly slabBytes: number;
}

export interface HistogramUnits {
  readonly periodMs: number;
  readonly pageBytes: number;
}

/**
 * The age of a cohort in scan periods, as kidled has it: how often it was looked at since its last use, at most 255. Pages that were in use when
 * last seen are of age 0. Of the others the last use lies somewhere between two looks: its middle is right for an interval of one period, and neither
 * early nor late on average for longer ones. Where only one side is known it is that one, so that nothing is called older than is known.
 */
export function agePeriodsOf({ idleAtLeastMs, idleAtMostMs }: IdleCohort, periodMs: number): number {
  if (idleAtLeastMs <= 0) return 0;
  const idleMs = Number.isFinite(idleAtMostMs) ? (idleAtLeastMs + idleAtMostMs) / 2 : idleAtLeastMs;
  return Math.min(maxAgePeriods, Math.floor(idleMs / periodMs));
}

/** The column of an age, or -1 below the first. */
export function columnOf(agePeriods: number, buckets: Buckets): number {
  let column = buckets.length - 1;
  while (column >= 0 && (buckets[column] ?? 0) > agePeriods) column--;
  return column;
}

/**
 * The histogram of a memcg's own pages. Page cache stands in the inactive rows, dirty as far as `footprint` says so: the pages used last, since
 * dirty ones are written out in time. `activeAnonPages` of the anonymous pages are active: those used last. Where no age is known (unevictable pages,
 * slab) it is the first column. undefined where all is zero.
 */
export function histogramOf(
  cohorts: readonly IdleCohort[],
  activeAnonPages: number,
  footprint: Footprint | undefined,
  buckets: Buckets,
  { periodMs, pageBytes }: HistogramUnits,
): Histogram | undefined {
  const columns = buckets.length;
  if (columns === 0) return undefined;
  // By column, behind those that are younger than the first.
  const anonPages = new Array<number>(columns + 1).fill(0);
  const filePages = new Array<number>(columns + 1).fill(0);
  cohorts.forEach((cohort) => {
    const pages = cohort.type === 'anon' ? anonPages : filePages;
    const place = columnOf(agePeriodsOf(cohort, periodMs), buckets) + 1;
    pages[place] = (pages[place] ?? 0) + cohort.pages;
  });
  const histogram = new Float64Array(idleRows.length * columns);
  let isZero = true;
  const put = (row: number, column: number, pages: number): void => {
    if (column < 0 || pages <= 0) return;
    histogram[row * columns + column] = pages * pageBytes;
    isZero = false;
  };
  let activePages = activeAnonPages;
  let dirtyPages = Math.ceil((footprint?.dirtyBytes ?? 0) / pageBytes);
  for (let column = -1; column < columns; column++) {
    const anon = anonPages[column + 1] ?? 0;
    const active = Math.min(anon, activePages);
    activePages -= active;
    put(rowIndex.csea, column, active);
    put(rowIndex.csei, column, anon - active);
    const file = filePages[column + 1] ?? 0;
    const dirty = Math.min(file, dirtyPages);
    dirtyPages -= dirty;
    put(rowIndex.dfei, column, dirty);
    put(rowIndex.cfei, column, file - dirty);
  }
  if (footprint) {
    put(rowIndex.csui, 0, Math.floor(footprint.unevictableAnonBytes / pageBytes));
    put(rowIndex.cfui, 0, Math.floor(footprint.unevictableFileBytes / pageBytes));
    put(rowIndex.slab, 0, Math.floor(footprint.slabBytes / pageBytes));
  }
  return isZero ? undefined : histogram;
}

/** Adds a histogram to another with its own buckets: each column goes to the first whose bound is not below its own, else to the last. */
export function addHistogram(into: Histogram, buckets: Buckets, added: Histogram, addedBuckets: Buckets): void {
  const targets = addedBuckets.map((bucket) => {
    const target = buckets.findIndex((bound) => bound >= bucket);
    return target === -1 ? buckets.length - 1 : target;
  });
  for (let row = 0; row < idleRows.length; row++)
    targets.forEach((target, column) => {
      const cell = row * buckets.length + target;
      into[cell] = (into[cell] ?? 0) + (added[row * addedBuckets.length + column] ?? 0);
    });
}

/**
 * Cuts the file rows and the swap-backed rows so that neither sums up to more than the memcg has of it now: clients subtract them, as unsigned numbers.
 * `sums` is what they sum up to, for who knows. The same object where nothing is to be cut.
 */
export function cappedHistogram(
  histogram: Histogram,
  columns: number,
  caps: { readonly anonBytes: number; readonly fileBytes: number },
  pageBytes: number,
  sums = bytesByType(histogram, columns),
): Histogram {
  if (sums.anon <= caps.anonBytes && sums.file <= caps.fileBytes) return histogram;
  const shares = {
    anon: sums.anon > caps.anonBytes ? caps.anonBytes / sums.anon : 1,
    file: sums.file > caps.fileBytes ? caps.fileBytes / sums.file : 1,
  };
  return histogram.map((bytes, cell) => {
    const share = cell < slabRow * columns ? shares[typeOfCell(cell, columns)] : 1;
    return share === 1 ? bytes : Math.max(0, Math.floor((bytes * share) / pageBytes) * pageBytes);
  });
}

/** A histogram after so many bytes of some rows left: those of the oldest columns, since a run takes what is cold. */
export function withoutOldest(
  histogram: Histogram,
  columns: number,
  rows: readonly (typeof idleRows)[number][],
  bytes: number,
): Histogram {
  const rest = histogram.slice();
  let left = bytes;
  for (let column = columns - 1; column >= 0; column--)
    for (const row of rows) {
      const cell = rowIndex[row] * columns + column;
      const taken = Math.min(left, rest[cell] ?? 0);
      rest[cell] = (rest[cell] ?? 0) - taken;
      left -= taken;
    }
  return rest;
}

/** A histogram with only the rows that are scanned. */
export function scannedRows(histogram: Histogram, columns: number, pages: boolean, slab: boolean): Histogram {
  if (pages && slab) return histogram;
  return histogram.map((bytes, cell) => ((cell < slabRow * columns ? pages : slab) ? bytes : 0));
}

/** What the swap-backed rows and the file rows sum up to. */
export function bytesByType(histogram: Histogram, columns: number): { readonly anon: number; readonly file: number } {
  const sums = { anon: 0, file: 0 };
  for (let row = 0, cell = 0; row < slabRow; row++) {
    const type = typeOfRow(row);
    for (const end = cell + columns; cell < end; cell++) sums[type] += histogram[cell] ?? 0;
  }
  return sums;
}

function typeOfRow(row: number): 'anon' | 'file' {
  return (row & 2) === 2 ? 'file' : 'anon';
}

function typeOfCell(cell: number, columns: number): 'anon' | 'file' {
  return typeOfRow(Math.floor(cell / columns));
}
