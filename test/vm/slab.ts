import { readFileSync } from 'node:fs';
import type { Memcg } from './memcg.js';
import { says } from './shell.js';

/** Names that nobody has are looked up by a process of the memcg: so many dentries stay behind, charged to it. */
export async function lookUpNothing(memcg: Memcg, names: number): Promise<void> {
  const script = `
    for (let name = 0; name < ${names}; name++)
      require('node:fs').statSync('/root/nobody-has-a-file-of-this-name-${memcg.path.slice(1)}-' + name, { throwIfNoEntry: false });
  `;
  await says('echo $$ > "$MEMCG/cgroup.procs"; exec node --eval "$SCRIPT"', { MEMCG: memcg.folder, SCRIPT: script });
}

/** Reclaimable slab of a memcg. */
export function slabBytes(memcg: Memcg): number {
  return memcg.stat('slab_reclaimable');
}

/** Reclaimable slab of the machine. */
export function machineSlabBytes(): number {
  return Number(/^SReclaimable: +(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) * 1024;
}
