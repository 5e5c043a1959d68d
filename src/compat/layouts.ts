import type { Directory } from '../files/control-file.js';
import type { CgroupFiles } from '../kernel/cgroup-files.js';
import { besideOurs, type OurFiles } from './beside.js';
import { machineLayout } from './machine-layout.js';
import { v1Layout } from './v1-layout.js';

/** The forms in which the hierarchy can be shown: as the document has it, and as the machine has it where that is v2. */
export const layoutNames = ['v2', 'v1'] as const;
export type LayoutName = (typeof layoutNames)[number];

/** The directories of cgroup/ in the mount: v1 on every machine, v2 where the memory controller is there. */
export function cgroupLayouts(
  cgroups: CgroupFiles,
  ours: OurFiles,
  pageBytes: number,
): (readonly [LayoutName, Directory])[] {
  const machine = besideOurs(machineLayout(cgroups), ours);
  if (cgroups.version === 1) return [['v1', machine]];
  return [
    ['v2', machine],
    ['v1', besideOurs(v1Layout(cgroups, pageBytes), ours)],
  ];
}
