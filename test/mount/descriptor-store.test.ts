/** The mount under a systemd that keeps descriptors: it survives the death of supervisor and daemon together. Here the test is that systemd. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import t from 'tap';
import { program } from './compiled.js';
import { command, eventually, mountsBelow, reasonToSkip, temporaryFolder } from './fixture.js';
import { NotifySocket } from './notify-socket.js';

const batch = 'sys/kernel/mm/coldpgs/batch';

/** A service whose main process is a supervisor. */
class Service {
  readonly log: string[] = [];
  readonly #process: ChildProcess;
  readonly ended: Promise<unknown>;

  constructor(
    t: Test,
    readonly mountPoint: string,
    state: string,
    systemd: NotifySocket,
  ) {
    const kept = systemd.kept();
    const coldpgs = [process.execPath, program('coldpgs'), 'mount', mountPoint, '--simulate', '--state-dir', state];
    // Its own pid is known to a process only once it runs.
    this.#process = spawn('sh', ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', ...coldpgs], {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', ...kept.map(({ descriptor }) => descriptor)],
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        NOTIFY_SOCKET: systemd.path,
        LISTEN_FDS: `${kept.length}`,
        LISTEN_FDNAMES: kept.map(({ name }) => name).join(':'),
      },
    });
    if (this.#process.stderr) createInterface(this.#process.stderr).on('line', (line) => this.log.push(line));
    this.ended = new Promise((resolve) => this.#process.on('close', resolve));
    t.teardown(() => this.kill());
  }

  /** Supervisor and daemon at once. Resolves when all are gone, as systemd waits for that before it starts a service again. */
  async kill(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#process;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    process.kill(-pid, 'SIGKILL');
    await eventually('all processes to be gone', () => {
      try {
        return !process.kill(-pid, 0);
      } catch {
        return true;
      }
    });
  }

  stop(): Promise<unknown> {
    this.#process.kill('SIGTERM');
    return this.ended;
  }

  async logged(text: string): Promise<void> {
    await eventually(`the log to say ${text}`, () => this.log.some((line) => line.includes(text)));
  }
}

void t.test('a mount whose descriptors systemd keeps', { skip: reasonToSkip() }, async (t) => {
  const systemd = await NotifySocket.open(t);
  const [mountPoint, state] = [await temporaryFolder(t), await temporaryFolder(t)];
  const start = (): Service => new Service(t, mountPoint, state, systemd);
  const first = start();
  await first.logged('systemd was asked to keep the mount');
  t.same(
    systemd.kept().map(({ name }) => name),
    ['coldpgs-device', 'coldpgs-checkpoint'],
  );

  const go = join(await temporaryFolder(t), 'go');
  const reader = command('bash', [
    '-c',
    'cd "$1" && exec 5<"$3" && echo 77 >"$3" && : >"$2.open" && until [[ -e $2 ]]; do sleep 0.05; done && cat "$3" <&5',
    'bash',
    mountPoint,
    go,
    batch,
  ]);
  await eventually('the file to be open', () => existsSync(`${go}.open`));
  const mounted = await mountsBelow(mountPoint);
  await first.kill();
  writeFileSync(go, '');
  const second = start();

  await t.test('goes on under the next service: nobody is told that it was gone', async (t) => {
    await second.logged('was killed with its supervisor; this one goes on with its mount');
    t.match(await reader, { status: 0, stdout: '77\n', stderr: '' });
    t.same(await mountsBelow(mountPoint), mounted);
    t.match(await command('cat', [join(mountPoint, batch)]), { stdout: '77\n', stderr: '' });
  });

  await t.test('also when that is killed', async (t) => {
    await second.kill();
    const third = start();
    t.match(await command('cat', [join(mountPoint, batch)]), { stdout: '77\n', stderr: '' });
    await third.stop();
  });

  await t.test('is forgotten once it is unmounted', async (t) => {
    t.same(systemd.kept(), []);
    t.same(await mountsBelow(mountPoint), []);
  });

  await t.test('and what was kept of one that has gone is not taken up', async (t) => {
    const fourth = start();
    await fourth.logged('systemd was asked to keep the mount');
    systemd.kept();
    await fourth.kill();
    await command('umount', ['-l', mountPoint]);
    const fifth = start();
    await fifth.logged('"mounted"');
    t.equal(systemd.kept().length, 2, 'only the new one is kept');
    await fifth.stop();
  });
});
