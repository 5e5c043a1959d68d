/** What docs/exec.md says of containers, with the runtime that Docker and containerd use. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { eventually } from './eventually.js';
import { mib } from './limits.js';
import { Memcg, pageBytes } from './memcg.js';
import { cat, says } from './shell.js';
import { Workload } from './workload.js';

/** A container of runc with this machine's programs, in cgroup and pid namespaces of its own, and without a capability. */
class Container {
  readonly #bundle = mkdtempSync(join(tmpdir(), 'coldpgs-container-'));
  readonly #name = `agent-${process.pid}`;

  /** `binds`: folders of the host by their place in the container. */
  static async start(binds: Readonly<Record<string, string>>): Promise<Container> {
    const container = new Container();
    await container.#prepare(binds);
    // What runs in it keeps the streams of this command.
    const run =
      'runc run --detach --bundle "$BUNDLE" "$NAME" </dev/null >"$BUNDLE/log" 2>&1 || { cat "$BUNDLE/log" >&2; exit 1; }';
    await says(run, container.#variables);
    return container;
  }

  get #variables() {
    return { BUNDLE: this.#bundle, NAME: this.#name };
  }

  async #prepare(binds: Readonly<Record<string, string>>): Promise<void> {
    const root = `${this.#bundle}/rootfs`;
    for (const folder of ['proc', 'dev', 'sys', 'usr']) mkdirSync(`${root}/${folder}`, { recursive: true });
    for (const folder of ['bin', 'lib', 'lib64']) symlinkSync(`usr/${folder}`, `${root}/${folder}`);
    await says('runc spec --bundle "$BUNDLE"', this.#variables);
    const file = `${this.#bundle}/config.json`;
    const spec = JSON.parse(readFileSync(file, 'utf8')) as {
      process: { terminal: boolean; args: string[]; capabilities: Record<string, string[]> };
      root: { readonly: boolean };
      mounts: unknown[];
    };
    spec.process.terminal = false;
    spec.process.args = ['sleep', '1000'];
    for (const set of Object.keys(spec.process.capabilities)) spec.process.capabilities[set] = [];
    spec.root.readonly = false;
    for (const [destination, source] of Object.entries({ ...binds, '/usr': '/usr' }))
      spec.mounts.push({ destination, source, type: 'bind', options: ['rbind', 'rslave'] });
    writeFileSync(file, JSON.stringify(spec));
  }

  /** What a script in the container says. */
  async says(script: string): Promise<string> {
    return says('runc exec "$NAME" sh -c "$SCRIPT"', { ...this.#variables, SCRIPT: script });
  }

  async remove(): Promise<void> {
    await says('runc delete --force "$NAME"', this.#variables);
    rmSync(this.#bundle, { recursive: true, force: true });
  }
}

void describe('a container of runc', () => {
  const memcg = Memcg.make('contained');
  let daemon: Daemon;
  let workload: Workload;
  let container: Container;

  before(async () => {
    daemon = await Daemon.start();
    workload = await Workload.start(memcg, 'anon:64:0');
    container = await Container.start({
      '/sys/kernel/mm': `${daemon.mountPoint}/sys/kernel/mm`,
      '/host': `${daemon.mountPoint}/sys/fs/cgroup`,
      '/cgroup/memory': `${daemon.mountPoint}/cgroup/v1`,
    });
  });
  after(async () => {
    await container.remove();
    await workload.stop();
    await daemon.remove();
    await memcg.remove();
  });

  void it('sees the files, and the usage of memcgs of the host as v1 has it', async () => {
    assert.match(await container.says('cat /sys/kernel/mm/coldpgs/version'), /^0x[0-9a-f]+\n$/);
    const bytes = Number(await container.says(`cat /cgroup/memory${memcg.path}/memory.usage_in_bytes`));
    assert.ok(bytes >= 64 * mib && bytes < 80 * mib, `${bytes}`);
  });

  void it('reclaims what is cold in a memcg of the host', async () => {
    await daemon.cold(memcg);
    await container.says(
      `echo 2 >/sys/kernel/mm/coldpgs/mode; cd /host${memcg.path}; echo 1 >memory.coldpgs.threshold; echo 1000000000 >memory.coldpgs.size`,
    );
    const [set] = await workload.report();
    assert.ok((set?.residentPages ?? Infinity) * pageBytes < 4 * mib, JSON.stringify(set));
    assert.equal(
      await container.says(`cat /host${memcg.path}/memory.coldpgs.stats`),
      await cat(daemon.memcgFile(memcg, 'stats')),
    );
  });

  void it('goes on over the death of the daemon', async () => {
    const { servingPid } = daemon;
    process.kill(servingPid, 'SIGKILL');
    assert.match(await container.says('cat /sys/kernel/mm/coldpgs/mode'), /2\n$/);
    await eventually('another daemon', () => daemon.servingPid !== servingPid);
  });
});
