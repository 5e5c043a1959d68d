/** The configuration file of a running daemon: changed, broken and mended while daemons come and go. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { program } from './compiled.js';
import { SimulatingDaemon } from './files-daemon.js';
import { command, eventually, reasonToSkip, temporaryFolder } from './fixture.js';

const skip = reasonToSkip();

void t.test('a configuration file and the daemons that read it', { skip, timeout: 120_000 }, async (t) => {
  const state = await temporaryFolder(t);
  const config = join(await temporaryFolder(t), 'coldpgs.yaml');
  const say = (text: string): void => writeFileSync(config, text);
  const period = (seconds: number): void => say(`scan-period: 20\nmem_agent:\n  memcg: { period_secs: ${seconds} }\n`);
  period(60);
  const daemon = new SimulatingDaemon(t, await temporaryFolder(t), ['--state-dir', state, '--config', config]);
  await daemon.logged('"mounted"');
  const file = 'sys/kernel/mm/mem_agent/memcg/period_secs';
  const inForce = async (): Promise<number> => Number(await daemon.says(`cat ${file}`));
  const serving = async (): Promise<number> => parseInt((await command('cat', [`${state}/serving`])).stdout, 10);
  const reload = () => command(process.execPath, [program('coldpgs'), 'reload', '--state-dir', state]);
  const timesLogged = (text: string): number => daemon.log.filter((line) => line.includes(text)).length;

  async function hangUp(): Promise<void> {
    const before = timesLogged('read again');
    daemon.signal('SIGHUP');
    await eventually('the file to be read again', () => timesLogged('read again') > before);
  }

  /** Kills the daemon and resolves when the next one serves. */
  async function killDaemon(): Promise<void> {
    const pid = await serving();
    process.kill(pid, 'SIGKILL');
    await eventually('another daemon', async () => ![pid, NaN].includes(await serving()));
  }

  await t.test('what it said at SIGHUP is what a reload compares with', async (t) => {
    period(90);
    await hangUp();
    t.equal(await inForce(), 90);
    period(60);
    t.match(await reload(), { status: 0, stderr: '' });
    t.equal(await inForce(), 60);
  });

  await t.test('what was written by hand after a SIGHUP outlives a crash', async (t) => {
    period(90);
    await hangUp();
    await daemon.says(`echo 30 > ${file}`);
    await killDaemon();
    t.equal(await inForce(), 30);
  });

  await t.test(
    'one with mistakes replaces no daemon, and a daemon that crashes is followed by one with the settings it had',
    async (t) => {
      const before = await serving();
      say('scan-period: 70000\n');
      t.match(await reload(), { status: 2, stderr: `${config}:1:14: scan-period: ` });
      say('mem_agent:\n  cgroups: [path=/web, path=/web]\n');
      t.match(await reload(), { status: 2, stderr: `${config}:2:24: there are two settings for memcg /web` });
      t.equal(await serving(), before);
      await killDaemon();
      await daemon.logged('goes on with those it had');
      t.equal(await inForce(), 30);
      t.equal(await daemon.says('cat sys/kernel/mm/kidled/scan_period_in_seconds'), '20\n');
      await daemon.says(`echo 31 > ${file}`);
      period(45);
      await hangUp();
      t.equal(await inForce(), 45, 'and takes the mended file');
    },
  );

  await t.test('SIGHUP while a daemon starts is neither lost nor its end', async (t) => {
    const [read, pid] = [timesLogged('read again'), await serving()];
    process.kill(pid, 'SIGKILL');
    for (let times = 0; times < 5; times++) {
      daemon.signal('SIGHUP');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    period(46);
    await eventually('the file to be read', () => timesLogged('read again') > read);
    t.equal(await inForce(), 46);
    t.not(await serving(), pid);
    t.equal(timesLogged('SIGHUP'), 0, 'no daemon died of it');
  });
});
