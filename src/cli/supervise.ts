import { Supervisor } from '../daemon/supervisor.js';

/** Runs this very command line as a daemon, under a supervisor, until it ends; its exit code is ours. SIGUSR2: reload. SIGHUP is the daemon's: it reads its configuration again, or ends. */
export async function supervise(): Promise<void> {
  const supervisor = new Supervisor([process.execPath, ...process.execArgv, ...process.argv.slice(1)]);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => supervisor.stop());
  process.on('SIGHUP', () => supervisor.hangUp());
  process.on('SIGUSR2', () => supervisor.reload());
  process.exitCode = await supervisor.run();
}
