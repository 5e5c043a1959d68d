import { getPriority } from 'node:os';
import t from 'tap';
import { program } from './compiled.js';
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
  const period = 'sys/kernel/mm/kidled/scan_period_in_seconds';

  /** Kills the daemon and resolves when the next one serves. */
  async function killDaemon(): Promise<void> {
    const pid = await daemonPid(state);
    process.kill(pid, 'SIGKILL');
    await eventually('another daemon', async () => ![pid, NaN].includes(await daemonPid(state)));
  }

  await t.test('the thread that answers goes before those in which the kernel reclaims, while one does', async (t) => {
    const pid = await daemonPid(state);
    const nices = async (): Promise<string> => {
      const { stdout } = await command('bash', ['-c', `cut -d' ' -f19 /proc/${pid}/task/*/stat | sort -n`]);
      return stdout.trimEnd().split('\n').join(' ');
    };
    const atRest = await nices();
    t.match(atRest, new RegExp(`^${getPriority()}( ${getPriority()})+$`), 'all have that of whoever started it');
    // A run takes a while: what is cold is left alone for a grace time after the last aging.
    const web = 'sys/fs/cgroup/web';
    await daemon.says(`cd sys/kernel/mm; echo 1 > kidled/scan_period_in_seconds; echo 3 > coldpgs/mode`);
    await daemon.says(`echo 1 > ${web}/memory.coldpgs.threshold`);
    const coldPages = new RegExp('csei +0 +[1-9]', 'u');
    await eventually('cold memory', async () => coldPages.test(await daemon.says(`cat ${web}/memory.idle_page_stats`)));
    const reclaiming = daemon.says(`echo 999999999 > ${web}/memory.coldpgs.size`);
    await eventually('one thread before the others', async () => (await nices()).startsWith('-10 '));
    t.equal((await nices()).split(' ').filter((nice) => nice === '-10').length, 1);
    await reclaiming;
    t.equal(await nices(), atRest);
    t.match(await daemon.says(`cat ${web}/memory.coldpgs.stats`), /^pagecache dropped +: +[1-9]/mu);
  });

  await t.test('what was written is there after a kill, to the last write', async (t) => {
    await daemon.says(`echo 77 > ${batch}; echo 0x5 > ${flags}; echo 7 > ${period}`);
    await killDaemon();
    t.equal(await daemon.says(`cat ${batch} ${flags} ${period}`), '77\n0x5\n7\n');
    await daemon.logged('was ended by SIGKILL; this one goes on with its mount');
  });

  await t.test('a reload starts a new daemon on the same mount', async (t) => {
    const before = await daemonPid(state);
    const mounted = await mountsBelow(daemon.mountPoint);
    const reload = [program('coldpgs'), 'reload', '--state-dir', state];
    const { stdout, stderr } = await command(process.execPath, reload);
    const now = await daemonPid(state);
    t.match({ stdout, stderr }, { stdout: `reloaded: process ${now} `, stderr: '' });
    t.not(now, before);
    const serving = await command('cat', [`${state}/serving`]);
    t.equal(parseInt(serving.stdout, 10), now, 'it answers when the command ends');
    t.same(await mountsBelow(daemon.mountPoint), mounted);
    t.equal(await daemon.says(`cat ${batch} ${flags} ${period}`), '77\n0x5\n7\n');
  });

  await t.test('after 5 crashes within a minute it shows the last state and takes no writes', async (t) => {
    while ((await daemon.sh(`echo 77 > ${batch}`)).status === 0) await killDaemon();
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

void t.test(
  'without its supervisor the daemon goes on, says so, and unmounts when it is asked to end',
  { skip },
  async (t) => {
    const state = await temporaryFolder(t);
    const daemon = new SimulatingDaemon(t, await temporaryFolder(t), ['--state-dir', state]);
    await daemon.logged('"mounted"');
    const pid = await daemonPid(state);
    daemon.signal('SIGKILL');
    await daemon.logged('the supervisor has gone');
    const batch = 'sys/kernel/mm/coldpgs/batch';
    await daemon.says(`echo 79 > ${batch}`);
    t.equal(await daemon.says(`cat ${batch}`), '79\n');
    process.kill(pid, 'SIGTERM');
    await eventually('the mount to be gone', async () => (await mountsBelow(daemon.mountPoint)).length === 0);
  },
);
