import type { ControlFile, Directory, TreeNode } from '../../../src/files/control-file.js';

/** A file that can only be read. */
export function readOnly(identity: string, render: () => string): ControlFile {
  return { kind: 'file', mode: 0o444, identity, render };
}

/** A file that says "nothing" and can be written. */
export function writable(identity: string, apply: NonNullable<ControlFile['apply']>): ControlFile {
  return { kind: 'file', mode: 0o644, identity, render: () => 'nothing\n', apply };
}

/** A directory with these entries; its identity is made of their names. */
export function directory(entries: Record<string, TreeNode>): Directory {
  const children = new Map(Object.entries(entries));
  return {
    kind: 'directory',
    mode: 0o555,
    identity: `directory of ${[...children.keys()].join()}`,
    changing: false,
    names: () => [...children.keys()],
    child: (name) => children.get(name),
  };
}
