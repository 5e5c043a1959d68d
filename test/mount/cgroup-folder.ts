import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

/** Makes folders that look like a cgroup v2 hierarchy with the groups of the demo machine, as far as plain files can: nothing in them is the kernel's. */
export function makeCgroupFolder(folder: string, fixtures: string): void {
  const stat = readFileSync(`${fixtures}/memory.stat`, 'latin1');
  for (const group of ['', '/web', '/db', '/batch', '/batch/night', '/batch/report']) {
    const files = {
      'cgroup.controllers': 'memory pids\n',
      'cgroup.events': 'populated 0\nfrozen 0\n',
      'cgroup.procs': '',
      'cgroup.threads': '',
      'cgroup.subtree_control': group === '' || group === '/batch' ? 'memory\n' : '\n',
      'memory.stat': stat,
      ...(group !== '' && {
        'memory.current': '1048576\n',
        'memory.max': 'max\n',
        'memory.peak': '2097152\n',
        'memory.events': 'low 0\nhigh 0\nmax 3\noom 0\noom_kill 0\n',
        'memory.swap.current': '8192\n',
        'memory.swap.max': 'max\n',
        'memory.reclaim': '',
      }),
    };
    mkdirSync(folder + group);
    for (const [name, text] of Object.entries(files)) writeFileSync(`${folder}${group}/${name}`, text, { mode: 0o644 });
  }
}
