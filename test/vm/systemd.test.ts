/** scripts/coldpgs.service under a systemd of the VM: a service manager of root's own, which needs not be process 1. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from './eventually.js';
import { killAtExit } from './left-behind.js';
import { Memcg } from './memcg.js';
import { mountsAt } from './mounts.js';
import { cat, echo, says } from './shell.js';

const mountPoint = '/run/coldpgs';
const batch = `${mountPoint}/sys/kernel/mm/coldpgs/batch`;
/** By it systemd knows a machine that it has booted, and runs on no other. */
const bootedFolder = '/run/systemd/system';

/** A systemd with one service, in a memcg of its own. */
class Systemd {
  readonly #folder = mkdtempSync(join(tmpdir(), 'coldpgs-systemd-'));
  readonly #memcg = Memcg.make('systemd');
  readonly #process: ChildProcess;
  readonly #variables = { XDG_RUNTIME_DIR: this.#folder, XDG_CONFIG_HOME: this.#folder };

  constructor(unit: string) {
    mkdirSync(`${this.#folder}/systemd/user`, { recursive: true });
    mkdirSync(bootedFolder, { recursive: true });
    writeFileSync(`${this.#folder}/systemd/user/coldpgs.service`, unit);
    this.#process = spawn(
      'sh',
      ['-c', `echo $$ >'${this.#memcg.file('cgroup.procs')}' && exec /lib/systemd/systemd --user --log-target=console`],
      { env: { ...process.env, ...this.#variables }, stdio: 'ignore', detached: true },
    );
    killAtExit(() => this.#process.kill('SIGKILL'));
  }

  /** What systemctl says. */
  async ctl(...words: readonly string[]): Promise<string> {
    return says(`systemctl --user ${words.join(' ')}`, this.#variables);
  }

  /** One property of the service. */
  async property(name: string): Promise<string> {
    return (await this.ctl('show', '--value', `--property=${name}`, 'coldpgs')).trim();
  }

  async answers(): Promise<boolean> {
    return this.ctl('list-units').then(Boolean, () => false);
  }

  async remove(): Promise<void> {
    await this.ctl('stop', 'coldpgs').catch(() => undefined);
    const ended = new Promise((resolve) => this.#process.on('exit', resolve));
    if (this.#process.exitCode === null && this.#process.kill('SIGTERM')) await ended;
    for (const folder of [this.#folder, bootedFolder]) rmSync(folder, { recursive: true, force: true });
  }
}

void describe('coldpgs as a service of systemd', () => {
  let systemd: Systemd;
  let held: number;
  let mounted: string[];

  const heldText = (): string => {
    const buffer = Buffer.alloc(64);
    return buffer.toString('utf8', 0, readSync(held, buffer, 0, buffer.length, 0));
  };
  /** Until another process serves, and answers. */
  const servedAnew = async (before: string): Promise<void> => {
    await eventually('another process', async () => {
      const pid = await systemd.property('MainPID');
      return pid !== '0' && pid !== before;
    });
    await cat(batch);
  };

  before(async () => {
    const executable = (await says('command -v coldpgs')).trim();
    const unit = readFileSync('/root/coldpgs.service', 'utf8').replace(/^(Exec\w+=)coldpgs /gm, `$1${executable} `);
    mkdirSync(mountPoint, { recursive: true });
    systemd = new Systemd(unit);
    await eventually('systemd', () => systemd.answers());
    await systemd.ctl('start', 'coldpgs');
    await eventually('the mount', () => mountsAt(mountPoint).length > 0);
    await eventually(
      'systemd to have both descriptors',
      async () => (await systemd.property('NFileDescriptorStore')) === '2',
    );
    mounted = mountsAt(mountPoint);
    held = openSync(batch, 'r');
    await echo(7, batch);
  });
  after(async () => {
    closeSync(held);
    await systemd.remove();
  });

  void it('SIGKILL to all processes of the service: the mount stays, and what was open works', async () => {
    const before = await systemd.property('MainPID');
    await systemd.ctl('kill', '--signal=KILL', 'coldpgs');
    assert.equal(heldText(), '7\n', 'the read waits for the next process');
    await servedAnew(before);
    assert.deepEqual(mountsAt(mountPoint), mounted);
    assert.equal(await systemd.property('NRestarts'), '1');
    assert.equal(await systemd.property('NFileDescriptorStore'), '2');
  });

  void it('reload: a new daemon, the same service', async () => {
    const before = await systemd.property('MainPID');
    await systemd.ctl('reload', 'coldpgs');
    assert.equal(await systemd.property('MainPID'), before);
    assert.equal(await systemd.property('NRestarts'), '1');
    assert.equal(heldText(), '7\n');
    assert.deepEqual(mountsAt(mountPoint), mounted);
  });

  void it('stop: nothing is mounted, and nothing kept', async () => {
    await systemd.ctl('stop', 'coldpgs');
    assert.deepEqual(mountsAt(mountPoint), []);
    assert.equal(await systemd.property('ActiveState'), 'inactive');
    assert.equal(await systemd.property('Result'), 'success');
    assert.equal(await systemd.property('NFileDescriptorStore'), '0');
  });
});
