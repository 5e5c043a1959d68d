import { ColdpgsError, systemErrno } from '../errors.js';
import type { CgroupFiles } from '../kernel/cgroup-files.js';
import { childPath, parentOf } from '../kernel/lineage.js';
import type { Caller, OpenPassed, PassedFile, Status } from '../passed.js';
import { fileEntries, lookAt, type MachineFiles, passedOn } from './beside.js';
import { sameInV2, type V1File, v1Files } from './v1-files.js';
import { V1Group } from './v1-group.js';

const never = new AbortController().signal;

/** The memory hierarchy of cgroup v1, over the one of v2 that the machine has. */
export function v1Layout(cgroups: CgroupFiles, pageBytes: number): MachineFiles {
  /** Groups whose children were given the memory controller by a mkdir here: they lose it with the last child. */
  const gave = new Set<string>();
  const group = (path: string): V1Group => new V1Group(cgroups, path, pageBytes);

  function same(directory: string, name: string): PassedFile | undefined {
    const files = sameInV2[name];
    const found = files && lookAt(cgroups, childPath(directory, files.reads));
    if (files === undefined || found === undefined) return undefined;
    return {
      kind: 'passed',
      identity: `v1 ${found.inode} ${name}`,
      ...passedOn(cgroups, childPath(directory, files.reads), found),
      change: (change) => {
        for (const one of new Set([files.reads, files.writes])) cgroups.change(childPath(directory, one), change);
      },
      open: (flags, caller) => openSame(cgroups, group(directory), files, flags, caller),
    };
  }

  function translated(directory: string, name: string): PassedFile | undefined {
    const file = v1Files.find((one) => one.name === name);
    const found = file && statusOf(cgroups, directory, file);
    if (file === undefined || found === undefined) return undefined;
    return {
      kind: 'passed',
      identity: `v1 ${found.inode} ${name}`,
      status: () => ({ ...(statusOf(cgroups, directory, file) ?? found), mode: file.mode }),
      change: ({ mode, ...change }) => {
        if (mode !== undefined)
          throw new ColdpgsError('NOT_WRITABLE', 'EPERM', `The mode of ${name} cannot be changed; its owner can.`);
        cgroups.change(childPath(directory, file.like), change);
      },
      open: (flags) => new OpenTranslated(file, group(directory), flags),
    };
  }

  return {
    layout: 'v1',
    cgroups,
    shown: (path, real) => [
      ...real.filter(({ isDirectory }) => isDirectory),
      ...fileEntries([
        ...Object.keys(sameInV2),
        ...v1Files.filter((file) => statusOf(cgroups, path, file) !== undefined).map(({ name }) => name),
      ]),
    ],
    file: (directory, name) => same(directory, name) ?? translated(directory, name),
    async make(path, mode, caller) {
      const given = await giveMemory(group(parentOf(path)), caller);
      for (const one of given) gave.add(one.path);
      try {
        await cgroups.make(path, mode, caller);
      } catch (refusal) {
        for (const one of given.reverse()) await takeMemoryBack(one, gave, caller);
        throw refusal;
      }
    },
    async remove(path, caller) {
      await cgroups.remove(path, caller);
      gave.delete(path);
      await takeMemoryBack(group(parentOf(path)), gave, caller);
    },
  };
}

/**
 * Gives the memory controller to the children of a group, and to those on the way to it. Answers the groups where that was changed. Throws KERNEL_REFUSED with
 * what to do: v2 allows processes only where no child has a controller.
 */
async function giveMemory(parent: V1Group, caller: Caller): Promise<V1Group[]> {
  const changed: V1Group[] = [];
  for (const group of parent.lineage().reverse()) {
    if (group.givesMemory()) continue;
    try {
      await group.write('cgroup.subtree_control', '+memory', caller, never);
    } catch (refusal) {
      if (systemErrno(refusal) !== 'EBUSY') throw refusal;
      throw busy(
        `${group.path} has processes: cgroup v2 takes them only in groups without groups below. Move them to a group of their own first.`,
        refusal,
      );
    }
    changed.push(group);
  }
  return changed;
}

/** So that processes may be in it again. It goes on as it is where that is not possible: somebody else made a group there meanwhile. */
async function takeMemoryBack(group: V1Group, gave: Set<string>, caller: Caller): Promise<void> {
  if (!gave.has(group.path)) return;
  try {
    if (group.children().length > 0) return;
    await group.write('cgroup.subtree_control', '-memory', caller, never);
    gave.delete(group.path);
  } catch (refusal) {
    if (!['EBUSY', 'ENOENT', 'ENODEV'].includes(systemErrno(refusal) ?? '')) throw refusal;
  }
}

/** A process moved into a group that has groups below is refused by v2, with a reason that v1 knows nothing of. */
function openSame(
  cgroups: CgroupFiles,
  group: V1Group,
  { reads, writes }: { readonly reads: string; readonly writes: string },
  flags: number,
  caller: Caller,
): OpenPassed {
  const path = group.path;
  const reading = cgroups.open(childPath(path, reads), flags, caller);
  const writing = writes === reads ? reading : cgroups.open(childPath(path, writes), flags, caller);
  return {
    read: (offset, length) => reading.read(offset, length),
    async write(bytes, writer, signal) {
      try {
        await writing.write(bytes, writer, signal);
      } catch (refusal) {
        if (systemErrno(refusal) !== 'EBUSY') throw refusal;
        throw busy(
          `${path} has groups below with the memory controller: cgroup v2 takes processes only in groups without. Write to one of those below.`,
          refusal,
        );
      }
    },
    close() {
      reading.close();
      if (writing !== reading) writing.close();
    },
  };
}

class OpenTranslated implements OpenPassed {
  #text: Buffer | undefined;
  #read = false;

  constructor(
    private readonly file: V1File,
    private readonly group: V1Group,
    flags: number,
  ) {
    const access = flags & 3;
    if (access !== 0 && file.apply === undefined)
      throw new ColdpgsError('NOT_WRITABLE', 'EACCES', 'This file can only be read.');
    if (access !== 1) this.#text = this.#render();
  }

  read(offset: number, length: number): Uint8Array {
    if (this.#text === undefined || (offset === 0 && this.#read)) this.#text = this.#render();
    this.#read = true;
    return this.#text.subarray(offset, offset + length);
  }

  async write(bytes: string, caller: Caller, signal: AbortSignal): Promise<void> {
    await this.file.apply?.(this.group, bytes, caller, signal);
  }

  close(): void {
    this.#text = undefined;
  }

  #render(): Buffer {
    return Buffer.from(this.file.render(this.group), 'latin1');
  }
}

/** As the file of v2 that it is made from; undefined where the group has none. The root has few of them, and no need of most. */
function statusOf(cgroups: CgroupFiles, directory: string, { like, name }: V1File): Status | undefined {
  const ofRoot = ['memory.usage_in_bytes', 'memory.limit_in_bytes'].includes(name) && directory === '/';
  const found = lookAt(cgroups, childPath(directory, ofRoot ? 'memory.stat' : like));
  return found && { ...found, isDirectory: false };
}

function busy(sentence: string, cause: unknown): ColdpgsError {
  return new ColdpgsError('KERNEL_REFUSED', 'EBUSY', sentence, cause);
}
