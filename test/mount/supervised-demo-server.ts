/** A demo server under a supervisor: `node supervised-demo-server.ts <transport> <mount point> [create]`. SIGUSR2: reload. SIGTERM: unmounts and exits. */
import { Supervisor } from '../../src/daemon/supervisor.js';

const crashesAllowed = 1000;
const server = [...process.execArgv, 'test/mount/demo-server.ts', ...process.argv.slice(2)];
const supervisor = new Supervisor([process.execPath, ...server], crashesAllowed);
process.on('SIGTERM', () => supervisor.stop());
process.on('SIGUSR2', () => supervisor.reload());
process.exitCode = await supervisor.run();
