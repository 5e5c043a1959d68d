import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { Test } from 'tap';
import t from 'tap';
import { compiled, program } from './compiled.js';
import { command, DemoServer, type Ended, eventually, reasonToSkip, temporaryFolder } from './fixture.js';

const skip = reasonToSkip();
const coldpgs = program('coldpgs');

async function served(t: Test): Promise<string> {
  const mountPoint = await temporaryFolder(t);
  const server = new DemoServer(t, 'dev-fuse', mountPoint, undefined, 'cgroup-server.ts');
  t.teardown(() => server.signal('SIGTERM').ended);
  await server.heard('ready');
  return mountPoint;
}

/** What is mounted in our own namespace where a namespace of exec has mounts; other tests mount elsewhere meanwhile. */
function mounts(): string {
  const lines = readFileSync('/proc/self/mountinfo', 'latin1').split('\n');
  return lines.filter((line) => /^\S+ \S+ \S+ \S+ \/(cgroup|sys|run)\b/.test(line)).join('\n');
}

void t.test('without a running coldpgs one is started for the time of the command', { skip }, async (t) => {
  const before = mounts();
  const program = compiled('test/mount/coldpgs-over-folder.ts');
  const left = async (): Promise<string[]> =>
    (await readdir('/run/coldpgs-exec')).filter((name) => /^daemon/.test(name));
  t.teardown(() => eventually('nothing to be left', async () => (await left()).length === 0));

  const said = await command(process.execPath, [
    program,
    'sh',
    '-c',
    'cat /cgroup/memory/web/memory.usage_in_bytes; exit 9',
  ]);
  t.match(said, { status: 9, stdout: '1048576\n', stderr: '' });
  t.same(await left(), [], 'it has gone before exec ends');
  t.equal(mounts(), before);

  const output = `${await temporaryFolder(t)}/output`;
  const script = `while sleep 0.2; do cat /cgroup/memory/web/memory.usage_in_bytes || echo gone; done > ${output}`;
  const runner = spawn(process.execPath, [program, 'sh', '-c', `echo $$; ${script}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [pid] = (await once(runner.stdout, 'data')) as [Buffer];
  t.teardown(() => {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      return;
    }
  });
  runner.kill('SIGKILL');
  await once(runner, 'exit');
  const lines = (): string[] => (existsSync(output) ? readFileSync(output, 'utf8').trim().split('\n') : []);
  const soFar = lines().length;
  await eventually('the command to read on', () => lines().length > soFar + 5);
  t.same([...new Set(lines())], ['1048576'], 'the files outlive exec as long as the command');
  process.kill(Number(pid), 'SIGKILL');
  await eventually('the coldpgs to go', async () => (await left()).length === 0);
  t.equal(mounts(), before);
});

void t.test('coldpgs exec over a mounted coldpgs', { skip }, async (t) => {
  const mountPoint = await served(t);
  const before = mounts();
  t.afterEach(() => void t.equal(mounts(), before, 'nothing is mounted here'));
  const line = (words: readonly string[]): string[] => {
    return [coldpgs, 'exec', '--layout', 'v1', '--mount', mountPoint, '--', ...words];
  };
  const run = (...words: readonly string[]): Promise<Ended> => command(process.execPath, line(words));
  const sh = (script: string): Promise<Ended> => run('sh', '-c', script);

  await t.test('the files are where the document has them, beside the real ones', async (t) => {
    const real = (await readdir('/sys/kernel/mm')).filter((name) => name !== 'coldpgs' && name !== 'kidled');
    const { stdout, stderr } = await sh(
      'ls /sys/kernel/mm; cat /sys/kernel/mm/coldpgs/version; cat /sys/kernel/mm/*/enabled',
    );
    t.equal(stderr, '');
    for (const name of [...real, 'coldpgs', 'kidled', '0x20500']) t.ok(stdout.split('\n').includes(name), name);
    const paths = '/cgroup/memory/web /sys/fs/cgroup/memory/web';
    t.match(await sh(`for group in ${paths}; do cat $group/memory.coldpgs.size $group/memory.usage_in_bytes; done`), {
      status: 0,
      stdout: '0\n1048576\n0\n1048576\n',
    });
    t.match(await sh('mkdir /sys/kernel/mm/new'), { status: 1, stderr: 'Read-only file system' });
  });

  await t.test('arguments, directory, environment and standard streams are the command’s own', async (t) => {
    t.equal(
      (await run('printf', '%s|', 'a b', '--', '0x10', '--help', "it's", '')).stdout,
      "a b|--|0x10|--help|it's||",
    );
    const script = 'pwd; cat; tr "\\0" "\\n" < /proc/$$/environ; echo no >&2';
    const words = ['-i', 'PATH=/usr/bin:/bin', "ODD=a'b", process.execPath, ...line(['sh', '-c', script])];
    const child = spawn('env', words, { cwd: '/usr/lib' });
    child.stdin.end('in\n');
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
    await once(child, 'close');
    t.equal(stderr, 'no\n');
    t.equal(stdout, "/usr/lib\nin\nPATH=/usr/bin:/bin\nODD=a'b\n");
  });

  await t.test('its exit status is ours, and the signal that ended it', async (t) => {
    for (const status of [0, 1, 125, 255]) t.match(await sh(`exit ${status}`), { status });
    t.match(await run('no-such-command'), { status: 127 });
    t.match(await run('/etc/passwd'), { status: 126 });
    for (const signal of ['TERM', 'KILL', 'USR1', 'INT'])
      t.match(await sh(`kill -${signal} $$`), { status: `SIG${signal}` });
  });

  await t.test('signals for us are the command’s', async (t) => {
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGINT'] as const) {
      const script = `trap 'echo caught; exit 7' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`;
      const child = spawn(process.execPath, line(['sh', '-c', script]), { stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()));
      await eventually('the command to be ready', () => said === 'ready\n');
      child.kill(signal);
      const [status] = (await once(child, 'close')) as [number];
      t.same([status, said], [7, 'ready\ncaught\n'], signal);
    }
  });

  await t.test('Ctrl-C on a terminal comes to the command once', async (t) => {
    const script = "trap 'echo caught' INT; echo ready; n=0; while [ $n -lt 20 ]; do sleep 0.05; n=$((n+1)); done; tty";
    const words = [process.execPath, ...line(['sh', '-c', script])].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
    const terminal = spawn('script', ['-qec', words.join(' '), '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let said = '';
    terminal.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()));
    await eventually('the command to be ready', () => said.includes('ready'));
    terminal.stdin.write('\x03');
    await once(terminal, 'close');
    t.equal(said.match(/caught/g)?.length, 1);
    t.match(said, /\/dev\/pts\/\d+/);
  });

  await t.test('killed at any moment it leaves nothing behind', async (t) => {
    for (const delayMs of [100, 200, 300, 400, 800]) {
      const child = spawn(process.execPath, line(['sleep', '0.5']), { stdio: 'ignore' });
      setTimeout(() => child.kill('SIGKILL'), delayMs);
      await once(child, 'exit');
    }
    t.equal(mounts(), before);
  });

  await t.test('what it cannot do it says', async (t) => {
    t.match(await command(process.execPath, [coldpgs, 'exec', 'ls']), { status: 2 });
    t.match(await command(process.execPath, [coldpgs, 'exec', '--mount', '/nowhere', '--', 'ls']), {
      status: 5,
      stderr: 'No coldpgs is mounted at /nowhere',
    });
    const asNobody = ['--reuid', '65534', '--clear-groups', process.execPath];
    t.match(await command('setpriv', [...asNobody, ...line(['ls'])]), { stderr: /root|EACCES|Permission/ });
  });
  await eventually('the last run to remove the folder of the document', async () => {
    await sh('true');
    return !existsSync('/cgroup');
  });
});
