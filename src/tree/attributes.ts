import type { Ownership, TreeNode } from '../files/control-file.js';
import type { Passed } from '../passed.js';

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;

/** What stat(2) tells about a node. */
export interface Attributes {
  /** 48 bits, never 0 and never 0 in its low 32 bits; the same for the same identity, also after a restart. */
  readonly id: number;
  /** The same number; for files of the machine their own inode number. */
  readonly ino: number;
  /** File type and permission bits. */
  readonly mode: number;
  /** 1 also for directories: "not counted", as on btrfs, so that `find` does not infer the number of subdirectories. */
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes; 0 for every file, as in cgroupfs: the text exists only once opened. */
  readonly size: number;
  /** Access, modification and change time, milliseconds since 1970. */
  readonly time: number;
  /** True where the node or something above it comes and goes by itself: not to be cached for long. */
  readonly changing: boolean;
}

/** Throws the kernel's refusal where the node is the machine's. */
export function attributesOf(node: TreeNode, owner: Ownership, time: number, changing: boolean): Attributes {
  const id = inodeNumber(node.identity);
  if (node.kind === 'passed') return passedAttributes(node, id);
  if (node.kind === 'directory' && node.passed) return passedAttributes(node.passed, id);
  const type = node.kind === 'directory' ? S_IFDIR : S_IFREG;
  return {
    id,
    ino: id,
    mode: type | node.mode,
    nlink: 1,
    uid: owner.uid,
    gid: owner.gid,
    size: 0,
    time,
    changing,
  };
}

function passedAttributes(passed: Passed, id: number): Attributes {
  const { inode, isDirectory, mode, links, uid, gid, modifiedMs } = passed.status();
  const type = isDirectory ? S_IFDIR : S_IFREG;
  return { id, ino: inode, mode: type | mode, nlink: links, uid, gid, size: 0, time: modifiedMs, changing: true };
}

/** cyrb53 cut to 48 bits: both 32-bit halves are well mixed, which matters where a transport carries only the low one. */
function inodeNumber(identity: string): number {
  let low = 0xdeadbeef;
  let high = 0x41c6ce57;
  for (let i = 0; i < identity.length; i++) {
    const char = identity.charCodeAt(i);
    low = Math.imul(low ^ char, 2654435761);
    high = Math.imul(high ^ char, 1597334677);
  }
  low = mix(low, 2246822507) ^ mix(high, 3266489909);
  high = mix(high, 2246822507) ^ mix(low, 3266489909);
  return (high & 0xffff) * 2 ** 32 + (low >>> 0 || 1);
}

function mix(half: number, by: number): number {
  return Math.imul(half ^ (half >>> 16), by) ^ (half >>> 13);
}
