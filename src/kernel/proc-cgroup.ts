/** One line of /proc/PID/cgroup (cgroups(7)). */
interface CgroupLine {
  readonly hierarchy: string;
  readonly controllers: readonly string[];
  readonly path: string;
}

/** The cgroup of a process in the hierarchy that has the memory controller, from the text of /proc/PID/cgroup (latin1); undefined when it says none. */
export function parseMemoryCgroup(text: string, version: 1 | 2): string | undefined {
  const lines = text.split('\n').flatMap(parseLine);
  const isMemory = (line: CgroupLine): boolean =>
    version === 2 ? line.hierarchy === '0' : line.controllers.includes('memory');
  return lines.find(isMemory)?.path;
}

function parseLine(line: string): CgroupLine[] {
  const [, hierarchy = '', controllers = '', path = ''] = /^(\d+):([^:]*):(\/.*)$/s.exec(line) ?? [];
  return path === '' ? [] : [{ hierarchy, controllers: controllers.split(','), path }];
}
