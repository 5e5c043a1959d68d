import { getPriority } from 'node:os';
import t from 'tap';
import { compiled } from './compiled.js';
import { SimulatingDaemon } from './files-daemon.js';
import { command, eventually, mountsBelow, reasonToSkip, temporaryFolder } from './fixture.js';

const skip = reasonToSkip();

/** The process of a coldpgs that serves, not its supervisor. */
async function daemonPid(stateFolder: string): Promise<number> {
  const { stdout } = await command('cat', [`${stateFolder}/daemon`]);
  return parseInt(stdout, 10);
}

void t.test('coldpgs itself', { skip }, async (t) => {
  const state = await temporaryFolder(t);
  const daemon = new SimulatingDaemon(t, await temporaryFolder(t), ['--state-dir', state]);
  await daemon.logged('"mounted"');
  const batch = 'sys/kernel/mm/coldpgs/batch';
  const flags = 'sys/fs/cgroup/web/memory.coldpgs.flags';

  /** Kills the daemon and resolves when the next one serves. */
  async function killDaemon(): Promise<void> {
    const pid = await daemonPid(state);
    process.kill(pid, 'SIGKILL');
    await eventually('another daemon', async () => ![pid, NaN].includes(await daemonPid(state)));
  }

  await t.test('the thread that answers goes before those that wait for the kernel', async (t) => {
    const pid = await daemonPid(state);
    const nices = (tasks: string) => command('bash', ['-c', `cut -d' ' -f19 ${tasks}`]);
    t.equal((await nices(`/proc/${pid}/stat`)).stdout, '-10\n');
    const all = (await nices(`/proc/${pid}/task/*/stat`)).stdout.split('\n').filter((nice) => nice !== '');
    const others = all.filter((nice) => nice === String(getPriority()));
    t.ok(others.length >= all.length - 1, `the others have that of whoever started it: ${all.join(' ')}`);
  });

  await t.test('what was written is there after a kill, to the last write', async (t) => {
    await daemon.says(`echo 77 > ${batch}; echo 0x5 > ${flags}`);
    await killDaemon();
    t.equal(await daemon.says(`cat ${batch} ${flags}`), '77\n0x5\n');
    await daemon.logged('was ended by SIGKILL; this one goes on with its mount');
  });

  await t.test('a reload starts a new daemon on the same mount', async (t) => {
    const before = await daemonPid(state);
    const mounted = await mountsBelow(daemon.mountPoint);
    const reload = [compiled('src/cli/coldpgs.cts'), 'reload', '--state-dir', state];
    const { stdout, stderr } = await command(process.execPath, reload);
    t.match({ stdout, stderr }, { stdout: /^reloaded: process \d+ /, stderr: '' });
    t.not(await daemonPid(state), before);
    t.same(await mountsBelow(daemon.mountPoint), mounted);
    t.equal(await daemon.says(`cat ${batch} ${flags}`), '77\n0x5\n');
  });

  await t.test('after 5 crashes within a minute it shows the last state and takes no writes', async (t) => {
    while (!daemon.log.some((line) => line.includes('takes no writes'))) await killDaemon();
    await daemon.logged('it shows the last state and takes no writes');
    t.equal(await daemon.says(`cat ${batch} ${flags}`), '77\n0x5\n');
    t.match(await daemon.sh(`echo 1 > ${batch}`), { status: 1, stderr: 'Input/output error' });
    t.match(await daemon.says('tail -n 1 coldpgs/errors'), /died too often .* was ended by SIGKILL.* coldpgs reload/);
  });

  await t.test('and works again after a reload', async (t) => {
    daemon.signal('SIGUSR2');
    await daemon.logged('handed the mount over; this one goes on');
    await daemon.says(`echo 78 > ${batch}`);
    t.equal(await daemon.says(`cat ${batch}`), '78\n');
  });

  await t.test('Ctrl-C still unmounts and ends with 0', async (t) => {
    t.equal(await daemon.signal('SIGINT').ended, 0);
    t.same(await mountsBelow(daemon.mountPoint), []);
  });
});
