import type { MemoryHierarchy } from './memory-hierarchy.js';
import { memcgGone } from './refusal.js';

/** Whether a text is a path of the form that memcgs have: "/", or names with "/" before each, none of which leads elsewhere. */
export function isMemcgPath(path: string): boolean {
  if (path === '/') return true;
  const [beforeRoot, ...names] = path.split('/');
  return beforeRoot === '' && names.length > 0 && names.every(isName);
}

/** A character above 0xff is no byte: as latin1 it would turn into another one, "/" for instance. */
function isName(name: string): boolean {
  return (
    !['', '.', '..'].includes(name) && Array.from(name).every((character) => character > '\0' && character <= '\xff')
  );
}

/** The directory of a memcg. Throws MEMCG_GONE for a path that no memcg can have. */
export function directoryOf(hierarchy: MemoryHierarchy, path: string): string {
  if (!isMemcgPath(path)) throw memcgGone(path);
  return path === '/' ? hierarchy.mountPoint : hierarchy.mountPoint + path;
}
