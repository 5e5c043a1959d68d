import type { CgroupFiles } from '../kernel/cgroup-files.js';
import { childPath } from '../kernel/lineage.js';
import { type MachineFiles, passedOn } from './beside.js';

/** The hierarchy as the machine has it: every file of it passed through. */
export function machineLayout(cgroups: CgroupFiles): MachineFiles {
  const layout = `v${cgroups.version}`;
  return {
    layout,
    cgroups,
    shown: (_path, real) => real,
    file(directory, name, found) {
      if (found === undefined) return undefined;
      const path = childPath(directory, name);
      return {
        kind: 'passed',
        identity: `${layout} ${found.inode}`,
        ...passedOn(cgroups, path, found),
        open: (flags, caller) => cgroups.open(path, flags, caller),
      };
    },
    make: (path, mode, caller) => cgroups.make(path, mode, caller),
    remove: (path, caller) => cgroups.remove(path, caller),
  };
}
