import type { CgroupFiles } from '../kernel/cgroup-files.js';
import { childPath } from '../kernel/lineage.js';
import type { ControlFile, Directory, TreeNode } from '../files/control-file.js';
import type { Caller, Passed, PassedDirectory, PassedEntry, PassedFile, Status, StatusChange } from '../passed.js';
import { systemErrno } from '../errors.js';

/** Our control files of a memcg. */
export interface OurFiles {
  readonly names: readonly string[];
  /** Undefined where there is no memcg at the path. */
  at(path: string, name: string): ControlFile | undefined;
}

/** The files of the machine that a directory shows beside ours, and what its own changes mean. */
export interface MachineFiles {
  /** Tells nodes of one layout from those of another. */
  readonly layout: string;
  readonly cgroups: CgroupFiles;
  /** What a cgroup's directory shows beside our files, given what it has. */
  shown(path: string, real: readonly PassedEntry[]): readonly PassedEntry[];
  /** The file of that name, given the machine's own one of that name; undefined where the cgroup has none. */
  file(path: string, name: string, found: Status | undefined): PassedFile | undefined;
  make(path: string, mode: number, caller: Caller): Promise<void>;
  remove(path: string, caller: Caller): Promise<void>;
}

/** The directory of a cgroup with the machine's files and ours side by side. */
export function besideOurs(machine: MachineFiles, ours: OurFiles, path = '/'): Directory {
  const found = lookAt(machine.cgroups, path);
  return cgroupDirectory(machine, ours, path, found ?? goneStatus);
}

function cgroupDirectory(machine: MachineFiles, ours: OurFiles, path: string, found: Status): Directory {
  const { cgroups, layout } = machine;
  const below = (name: string): string => childPath(path, name);

  function list(): PassedEntry[] {
    const real = cgroups.list(path);
    const isMemcg = real.some(({ name, isDirectory }) => name === 'memory.stat' && !isDirectory);
    return [...machine.shown(path, real), ...(isMemcg ? fileEntries(ours.names) : [])];
  }

  function child(name: string): TreeNode | undefined {
    if (ours.names.includes(name)) return ours.at(path, name);
    const found = lookAt(cgroups, below(name));
    return found?.isDirectory ? cgroupDirectory(machine, ours, below(name), found) : machine.file(path, name, found);
  }

  const passed: PassedDirectory = {
    ...passedOn(cgroups, path, found),
    list,
    make: (name, mode, caller) => machine.make(below(name), mode, caller),
    remove: (name, caller) => machine.remove(below(name), caller),
  };
  return {
    kind: 'directory',
    mode: found.mode,
    identity: `${layout} ${found.inode}`,
    changing: true,
    names: () => list().map(({ name }) => name),
    child,
    passed,
  };
}

/** Status and its change, passed on; the first time it is asked for, the status is the one that the node was found with. */
export function passedOn(cgroups: CgroupFiles, path: string, found: Status): Passed {
  let fresh: Status | undefined = found;
  return {
    status() {
      const status = fresh ?? cgroups.status(path);
      fresh = undefined;
      return status;
    },
    change: (change: StatusChange) => cgroups.change(path, change),
  };
}

/** Undefined where there is none, or where none can be. */
export function lookAt(cgroups: CgroupFiles, path: string): Status | undefined {
  try {
    return cgroups.status(path);
  } catch (refusal) {
    const errno = systemErrno(refusal) ?? '';
    if (['ENOENT', 'ENODEV', 'ENOTDIR', 'ENAMETOOLONG'].includes(errno)) return undefined;
    throw refusal;
  }
}

export function fileEntries(names: readonly string[]): PassedEntry[] {
  return names.map((name) => ({ name, isDirectory: false }));
}

const goneStatus: Status = { inode: 0, isDirectory: true, mode: 0o555, uid: 0, gid: 0, links: 2, modifiedMs: 0 };
