import type { MemoryHierarchy } from './memory-hierarchy.js';
import { memcgGone } from './refusal.js';

/** Names with "/" before each, none of which leads elsewhere. A character above 0xff is no byte: as latin1 it would turn into another one, "/" for instance. */
const NAMES = /^(?:\/(?!\.{1,2}(?:\/|$))[^/\u0100-\uffff]+)+$/;

/** Whether a text is a path of the form that memcgs have. */
export function isMemcgPath(path: string): boolean {
  return path === '/' || (NAMES.test(path) && !path.includes('\0'));
}

/** The directory of a memcg. Throws MEMCG_GONE for a path that no memcg can have. */
export function directoryOf(hierarchy: MemoryHierarchy, path: string): string {
  if (!isMemcgPath(path)) throw memcgGone(path);
  return path === '/' ? hierarchy.mountPoint : hierarchy.mountPoint + path;
}
