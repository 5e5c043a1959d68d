/** A demo server under a supervisor: `node supervised-demo-server.ts <transport> <mount point> [create]`. SIGUSR2: reload. SIGTERM: unmounts and exits. */
import { fileURLToPath } from 'node:url';
import { defaultRestartPolicy, type RestartPolicy } from '../../src/daemon/restart-policy.js';
import { Supervisor } from '../../src/daemon/supervisor.js';

/** Killed often on purpose. */
const policy: RestartPolicy = { ...defaultRestartPolicy, mostCrashes: 1000, delaysMs: [0] };
const server = [fileURLToPath(new URL('demo-server.js', import.meta.url)), ...process.argv.slice(2)];
const supervisor = new Supervisor([process.execPath, ...server], policy);
process.on('SIGTERM', () => supervisor.stop());
process.on('SIGUSR2', () => supervisor.reload());
process.exitCode = await supervisor.run();
