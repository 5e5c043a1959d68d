import type { LayoutName } from './layouts.js';

/** One step on the way from the machine's mounts to those that a command is to see. */
export type MountStep =
  | { readonly make: 'folder' | 'file'; readonly at: string }
  | { readonly tmpfs: string }
  /** With all that is mounted below. */
  | { readonly bind: string; readonly at: string }
  /** No more entries in the folder itself. */
  | { readonly readOnly: string };

/** What of the machine the plan depends on. */
export interface PlannedFor {
  /** Where coldpgs is mounted. */
  readonly mountPoint: string;
  /** Entries of /sys/kernel/mm, and those of coldpgs that go beside them. */
  readonly mm: readonly { readonly name: string; readonly isDirectory: boolean }[];
  readonly ours: readonly string[];
  /** The hierarchy that has the memory controller. */
  readonly hierarchy: { readonly version: 1 | 2; readonly mountPoint: string };
  /** Whether there is a /cgroup/memory. */
  readonly hasCgroupMemory: boolean;
  /** An empty folder to build in. */
  readonly stage: string;
}

export const mmFolder = '/sys/kernel/mm';
export const documentFolder = '/cgroup';

/**
 * What to mount, in a mount namespace of its own, so that files are where Alibaba's kernels have them. sysfs takes no mkdir: /sys/kernel/mm becomes a folder of bind
 * mounts. /cgroup has to be there for v1.
 */
export function namespacePlan(layout: LayoutName, planned: PlannedFor): MountStep[] {
  const { stage } = planned;
  return [{ tmpfs: stage }, ...mmSteps(planned), ...(layout === 'v1' ? v1Steps(planned) : v2Steps(planned))];
}

function mmSteps({ mountPoint, mm, ours, stage }: PlannedFor): MountStep[] {
  const folder = `${stage}/mm`;
  const real = mm.filter(({ name }) => !ours.includes(name));
  return [
    { make: 'folder', at: folder },
    ...real.flatMap(({ name, isDirectory }): MountStep[] => [
      { make: isDirectory ? 'folder' : 'file', at: `${folder}/${name}` },
      { bind: `${mmFolder}/${name}`, at: `${folder}/${name}` },
    ]),
    ...ours.flatMap((name) => boundFolder(`${mountPoint}/sys/kernel/mm/${name}`, `${folder}/${name}`)),
    { bind: folder, at: mmFolder },
    { readOnly: mmFolder },
  ];
}

function v2Steps({ mountPoint, hierarchy }: PlannedFor): MountStep[] {
  return [{ bind: `${mountPoint}/cgroup/v2`, at: hierarchy.mountPoint }];
}

/** On a v2 machine the v2 hierarchy stays in reach, where distributions with both have it: /sys/fs/cgroup/unified. */
function v1Steps({ mountPoint, hierarchy, hasCgroupMemory, stage }: PlannedFor): MountStep[] {
  const tree = `${mountPoint}/cgroup/v1`;
  const folder = `${stage}/cgroup`;
  const underSys: MountStep[] =
    hierarchy.version === 1
      ? [{ bind: tree, at: hierarchy.mountPoint }]
      : [
          { make: 'folder', at: folder },
          ...boundFolder(tree, `${folder}/memory`),
          ...boundFolder(hierarchy.mountPoint, `${folder}/unified`),
          { bind: folder, at: hierarchy.mountPoint },
          { readOnly: hierarchy.mountPoint },
        ];
  const underDocument: MountStep[] = hasCgroupMemory
    ? [{ bind: tree, at: `${documentFolder}/memory` }]
    : [{ tmpfs: documentFolder }, ...boundFolder(tree, `${documentFolder}/memory`), { readOnly: documentFolder }];
  return [...underSys, ...underDocument];
}

function boundFolder(from: string, at: string): MountStep[] {
  return [
    { make: 'folder', at },
    { bind: from, at },
  ];
}

/** The plan as a POSIX shell script that stops at the first failure. */
export function planScript(steps: readonly MountStep[]): string {
  return steps.map((step) => `${commandOf(step)} || exit 1\n`).join('');
}

function commandOf(step: MountStep): string {
  if ('make' in step) return step.make === 'folder' ? `mkdir ${quoted(step.at)}` : `: > ${quoted(step.at)}`;
  if ('tmpfs' in step) return `mount -t tmpfs -o mode=755 coldpgs ${quoted(step.tmpfs)}`;
  if ('bind' in step) return `mount --rbind ${quoted(step.bind)} ${quoted(step.at)}`;
  return `mount -o remount,bind,ro ${quoted(step.readOnly)}`;
}

export function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
