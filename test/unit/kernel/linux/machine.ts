import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Kernel } from '../../../../src/kernel/kernel.js';
import { createLinuxKernel } from '../../../../src/kernel/linux/index.js';

/** Directories and files by name. */
export interface Tree {
  readonly [name: string]: string | Buffer | Tree;
}

export interface Machine {
  readonly kernel: Kernel;
  /** The absolute path of a file of the machine: `cgroup/…`, `proc/…`, `sys/…`, `debugfs/…`. */
  readonly file: (path: string) => string;
  readonly write: (path: string, text: string | Buffer) => void;
}

/** The real kernel's code over a tree of files. Without more said: cgroup v2 mounted in full, kernel 6.12, pages of 4096 bytes. */
export function machine(
  t: Test,
  {
    cgroup = memcg(),
    proc = {},
    sys = {},
    debugfs = {},
    mountinfo,
    release = '6.12.107+deb13-amd64',
  }: {
    readonly cgroup?: Tree;
    readonly proc?: Tree;
    readonly sys?: Tree;
    readonly debugfs?: Tree;
    /** @CGROUP@ in it stands for where the cgroups are. */
    readonly mountinfo?: string;
    readonly release?: string;
  } = {},
): Machine {
  const root = t.testdir();
  const mounts = mountinfo ?? '31 23 0:28 / @CGROUP@ rw,relatime - cgroup2 cgroup2 rw\n';
  makeTree(root, {
    cgroup: { 'cgroup.controllers': 'cpu io memory pids\n', ...cgroup },
    proc: {
      meminfo: 'SwapTotal:             0 kB\nSwapFree:              0 kB\n',
      ...proc,
      self: {
        mountinfo: mounts.replaceAll('@CGROUP@', join(root, 'cgroup')),
        auxv: auxiliaryVector(4096),
        ...treeIn(proc, 'self'),
      },
      sys: { kernel: { osrelease: `${release}\n` }, vm: { swappiness: '60\n' } },
    },
    sys,
    debugfs,
  });
  const file = (path: string): string => join(root, path);
  return {
    kernel: createLinuxKernel({ procRoot: file('proc'), sysRoot: file('sys'), debugfsRoot: file('debugfs') }),
    file,
    write: (path, text) => writeFileSync(file(path), text),
  };
}

/** The directory of a memcg whose children are memcgs too. */
export function memcg(filesAndChildren: Tree = {}): Tree {
  return { 'memory.stat': '', 'cgroup.procs': '', 'cgroup.subtree_control': 'memory pids\n', ...filesAndChildren };
}

/** The auxiliary vector of a process on a machine with pages of that size. */
export function auxiliaryVector(pageBytes: number): Buffer {
  const hardwareCapabilities = [16n, 0x1fn];
  const pageSize = [6n, BigInt(pageBytes)];
  return Buffer.from(BigUint64Array.from([...hardwareCapabilities, ...pageSize, 0n, 0n]).buffer);
}

function treeIn(tree: Tree, name: string): Tree {
  const entry = tree[name];
  return typeof entry === 'object' && !Buffer.isBuffer(entry) ? entry : {};
}

function makeTree(directory: string, tree: Tree): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, entry] of Object.entries(tree)) {
    const path = join(directory, name);
    if (typeof entry === 'string' || Buffer.isBuffer(entry)) writeFileSync(path, entry);
    else makeTree(path, entry);
  }
}
