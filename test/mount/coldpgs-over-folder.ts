/** A coldpgs that `execute` can start for one command: `node coldpgs-over-folder.ts COMMAND...` runs COMMAND so; `mount MOUNTPOINT` is what it starts. */
import { endLike, execute } from '../../src/compat/exec.js';

const [first, ...others] = process.argv.slice(2);
if (first === 'mount') {
  process.argv.splice(2, Infinity, 'dev-fuse', others[0] ?? '', 'detached');
  await import('./cgroup-server.js');
} else endLike(await execute({ layout: 'v1', mountPoint: undefined, command: process.argv.slice(2) }));
