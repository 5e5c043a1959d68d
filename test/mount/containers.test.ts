/** What docs/exec.md says of containers: mount namespaces with bind mounts, as container runtimes make them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import type { Test } from 'tap';
import t from 'tap';
import { command, DemoServer, type Ended, reasonToSkip, temporaryFolder } from './fixture.js';

/** A mount namespace that gets what is mounted outside of it (rslave). Runs scripts in it, with a folder of the test as the first argument. */
async function container(t: Test, folder: string): Promise<(script: string) => Promise<Ended>> {
  const first = spawn('unshare', ['--mount', '--propagation', 'slave', 'sh', '-c', 'echo; exec sleep 1000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => first.kill('SIGKILL'));
  await once(first.stdout, 'data');
  return (script) => command('nsenter', ['-t', String(first.pid), '-m', 'bash', '-c', script, 'bash', folder]);
}

async function served(t: Test, mountPoint: string): Promise<DemoServer> {
  await rm(`${mountPoint}-cgroups`, { recursive: true, force: true });
  const server = new DemoServer(t, 'dev-fuse', mountPoint, undefined, 'cgroup-server.ts');
  await server.heard('ready');
  return server;
}

void t.test('bind mounts of a container', { skip: reasonToSkip() }, async (t) => {
  const folder = await temporaryFolder(t);
  // As systemd has it: what is mounted below goes on to slaves.
  t.match(await command('mount', ['-t', 'tmpfs', 'none', folder]), { status: 0 });
  t.match(await command('mount', ['--make-shared', folder]), { status: 0 });
  for (const name of ['host', 'host/mnt', 'above', 'memory']) await mkdir(`${folder}/${name}`);
  const first = await served(t, `${folder}/host/mnt`);
  const run = await container(t, folder);
  t.match(await run('mount --rbind "$1/host" "$1/above" && mount --bind "$1/host/mnt/cgroup/v1" "$1/memory"'), {
    status: 0,
  });

  const ofTheMount = 'cd / && cat "$1/memory/web/memory.usage_in_bytes"';
  const fromAbove = 'cat "$1/above/mnt/cgroup/v1/web/memory.usage_in_bytes"';
  for (const script of [ofTheMount, fromAbove]) t.match(await run(script), { status: 0, stdout: '1048576\n' });
  t.match(
    await run('echo 2097152 > "$1/memory/web/memory.limit_in_bytes"; cat "$1/above/mnt/cgroup/v2/web/memory.max"'),
    {
      stdout: '2097152',
    },
  );

  await first.signal('SIGTERM').ended;
  t.match(await run(ofTheMount), { status: 1 }, 'the mount has ended');
  const second = await served(t, `${folder}/host/mnt`);
  t.match(await run(fromAbove), { status: 0, stdout: '1048576\n' }, 'the folder above shows the new one');
  t.match(await run(ofTheMount), { status: 1 }, 'which is another mount');
  await second.signal('SIGTERM').ended;
});
