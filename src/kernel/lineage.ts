/** Whether one memcg is the other or an ancestor of it. */
export function sameLineage(a: string, b: string): boolean {
  return a === b || isBelow(a, b) || isBelow(b, a);
}

/** Whether `path` is a descendant of `ancestor`. */
export function isBelow(path: string, ancestor: string): boolean {
  return path !== ancestor && path.startsWith(ancestor === '/' ? '/' : `${ancestor}/`);
}

/** A memcg and its ancestors, up to the root. */
export function lineageOf(path: string): string[] {
  return path === '/' ? ['/'] : [path, ...lineageOf(parentOf(path))];
}

/** The path of a child. */
export function childPath(path: string, name: string): string {
  return path === '/' ? `/${name}` : `${path}/${name}`;
}

/** The root is its own parent. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}
