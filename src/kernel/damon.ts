/**
 * What is asked of a kdamond that watches physical addresses, as the files of /sys/kernel/mm/damon/admin have it
 * (Documentation/admin-guide/mm/damon/usage.rst).
 */
import type { PhysicalRange } from './iomem.js';

/** Leaves out what it describes; what no filter leaves out is counted. */
export type DamonFilter =
  | { readonly type: 'memcg'; readonly path: string; readonly leavesOut: 'others' }
  | { readonly type: 'anon'; readonly leavesOut: 'anon' | 'others' };

/** Counts bytes of regions, whose accesses and age (in aggregation intervals) lie in these ranges, both ends included. Does nothing to them. */
export interface DamonStatScheme {
  readonly accesses: readonly [least: number, most: number];
  readonly ageIntervals: readonly [least: number, most: number];
  readonly filters: readonly DamonFilter[];
}

export interface DamonPlan {
  readonly sampleUs: number;
  readonly aggregationUs: number;
  /** How often schemes count: once each. */
  readonly applyUs: number;
  readonly regions: readonly [least: number, most: number];
  readonly schemes: readonly DamonStatScheme[];
}

/** What a scheme has counted since it was made. Both only grow. */
export interface DamonStat {
  readonly triedBytes: number;
  /** Of those the bytes in pages that no filter left out; 0 for a scheme without filters. */
  readonly passedBytes: number;
}

/** The largest value of a range of a scheme. */
export const damonUnlimited = 2 ** 32 - 1;

/** One write to a file below the folder of a kdamond. Order matters: counts make the folders that later writes go to. */
export interface DamonWrite {
  readonly file: string;
  readonly value: string;
}

const context = 'contexts/0';

/** All that makes a new kdamond follow a plan over some memory, but for turning it on. */
export function kdamondWrites(plan: DamonPlan, ram: readonly PhysicalRange[]): DamonWrite[] {
  const regions = `${context}/targets/0/regions`;
  return [
    { file: 'contexts/nr_contexts', value: '1' },
    { file: `${context}/operations`, value: 'paddr' },
    ...attributeWrites(plan),
    { file: `${context}/targets/nr_targets`, value: '1' },
    { file: `${regions}/nr_regions`, value: String(ram.length) },
    ...ram.flatMap(({ start, end }, index) => [
      { file: `${regions}/${index}/start`, value: String(start) },
      { file: `${regions}/${index}/end`, value: String(end) },
    ]),
    ...schemeWrites(plan),
  ];
}

/** How often and how finely memory is looked at. */
export function attributeWrites({ sampleUs, aggregationUs, regions }: DamonPlan): DamonWrite[] {
  const attributes = `${context}/monitoring_attrs`;
  return [
    { file: `${attributes}/intervals/sample_us`, value: String(sampleUs) },
    { file: `${attributes}/intervals/aggr_us`, value: String(aggregationUs) },
    { file: `${attributes}/nr_regions/min`, value: String(regions[0]) },
    { file: `${attributes}/nr_regions/max`, value: String(regions[1]) },
  ];
}

/** The schemes of a plan in the place of those that were there. */
export function schemeWrites({ applyUs, schemes }: DamonPlan): DamonWrite[] {
  const folder = `${context}/schemes`;
  const writes: DamonWrite[] = [{ file: `${folder}/nr_schemes`, value: String(schemes.length) }];
  for (const [index, { accesses, ageIntervals, filters }] of schemes.entries()) {
    const scheme = `${folder}/${index}`;
    const pattern = `${scheme}/access_pattern`;
    writes.push(
      { file: `${scheme}/action`, value: 'stat' },
      { file: `${scheme}/apply_interval_us`, value: String(applyUs) },
      { file: `${pattern}/sz/max`, value: '18446744073709551615' },
      { file: `${pattern}/nr_accesses/min`, value: String(accesses[0]) },
      { file: `${pattern}/nr_accesses/max`, value: String(accesses[1]) },
      { file: `${pattern}/age/min`, value: String(ageIntervals[0]) },
      { file: `${pattern}/age/max`, value: String(ageIntervals[1]) },
      { file: `${scheme}/filters/nr_filters`, value: String(filters.length) },
    );
    for (const [place, filter] of filters.entries()) {
      const files = `${scheme}/filters/${place}`;
      writes.push({ file: `${files}/type`, value: filter.type });
      if (filter.type === 'memcg') writes.push({ file: `${files}/memcg_path`, value: filter.path });
      writes.push(
        { file: `${files}/matching`, value: filter.leavesOut === 'others' ? 'N' : 'Y' },
        { file: `${files}/allow`, value: 'N' },
      );
    }
  }
  return writes;
}
