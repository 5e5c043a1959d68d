/**
 * Serves coldpgs over the simulated machine with a folder in the place of the machine's cgroup hierarchy: `node cgroup-server.ts <transport> <mount point> [detached]`. The folder is
 * beside the mount point, `<mount point>-cgroups`. Speaks as demo-server.ts does.
 */
import { fileURLToPath } from 'node:url';
import { cgroupLayouts } from '../../src/compat/layouts.js';
import { Engine } from '../../src/engine/engine.js';
import { defaultEngineSettings } from '../../src/engine/engine-settings.js';
import { dialects } from '../../src/files/dialect.js';
import { kidledDialects } from '../../src/files/kidled-dialect.js';
import { buildTree, memcgFilesBeside } from '../../src/files/layout.js';
import { systemClock } from '../../src/kernel/clock.js';
import { LinuxCgroupFiles } from '../../src/kernel/linux/cgroup-files.js';
import { demoMachine } from '../../src/kernel/simulated/demo.js';
import { silentLog } from '../../src/log.js';
import { Tree } from '../../src/tree/tree.js';
import { makeCgroupFolder } from './cgroup-folder.js';
import { transports } from './transports.js';

const [transportName = '', mountPoint = '', detached] = process.argv.slice(2);
const folder = `${mountPoint}-cgroups`;
makeCgroupFolder(folder, fileURLToPath(new URL('../fixtures/kernel-6.12', import.meta.url)));

const { kernel } = demoMachine(systemClock);
const capabilities = await kernel.capabilities();
const journal = { write: () => undefined };
const engine = new Engine(kernel, systemClock, capabilities, defaultEngineSettings, journal, silentLog);
const surroundings = {
  engine,
  dialect: dialects['2.5'],
  kidledDialect: kidledDialects['K-B'],
  pageBytes: kernel.pageBytes,
  modes: {},
  packageVersion: '1.2.3',
  settings: {},
  gauges: () => ({}),
};
const layouts = cgroupLayouts(new LinuxCgroupFiles(folder, 2), memcgFilesBeside(surroundings), kernel.pageBytes);
const onFailedWrite = ({ path, sentence }: { path: string; sentence: string }): void =>
  engine.problems.report(path, sentence);
const tree = new Tree(
  buildTree(surroundings, layouts),
  { uid: 0, gid: 0 },
  { onFailedWrite, log: { ...silentLog, error: (...said) => console.error(...said) } },
);
const transport = transports[transportName]?.make(tree, { mountPoint, log: silentLog });
const stop = (): void => void transport?.unmount().then(() => process.exit(0));
process.on('SIGTERM', stop);
if (detached === undefined) process.stdin.on('end', stop).resume();
await transport?.mount();
process.stdout.write(`${JSON.stringify({ event: 'ready', mountPoint, pid: process.pid })}\n`);
