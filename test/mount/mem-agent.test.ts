/** Every command line of mem-agent's and of Kata's document, as it is written there, against the daemon over a simulated machine. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { program } from './compiled.js';
import { SimulatingDaemon } from './files-daemon.js';
import { command, type Ended, eventually, reasonToSkip, temporaryFolder } from './fixture.js';

const skip = reasonToSkip();
const documents = new URL('../fixtures/documents/', import.meta.url);

function blocksOf(document: string): string[] {
  return readFileSync(new URL(`${document}.txt`, documents), 'utf8').split('====\n');
}

/** A place where the documents' programs are where the documents have them. */
class Bench {
  readonly mountPoint: string;
  readonly config: string;
  readonly #programs: string;

  constructor(readonly folder: string) {
    this.mountPoint = join(folder, 'mnt');
    this.config = join(folder, 'configuration.toml');
    this.#programs = join(folder, 'bin');
    const built = join(folder, 'mem-agent/target/debug');
    for (const path of [this.mountPoint, this.#programs, built]) mkdirSync(path, { recursive: true });
    copyFileSync(new URL('configuration.toml', documents), this.config);
    this.#program(this.#programs, 'sudo', 'exec "$@"');
    this.#program(this.#programs, 'kata-agent-ctl', `exec ${process.execPath} ${program('kata-agent-ctl')} "$@"`);
    this.#program(built, 'mem-agent-ctl', `exec ${process.execPath} ${program('mem-agent-ctl')} "$@"`);
    this.#program(
      built,
      'mem-agent-srv',
      `exec ${process.execPath} ${program('mem-agent-srv')} "$@" --simulate ${this.mountPoint}`,
    );
  }

  /** Runs a block: prompts are none of the shell's, and paths are those of the bench. */
  run(block: string): Promise<Ended> {
    const script = block.replace(/^\$ /gm, '').replace(/^(config_file=).*/m, `$1${this.config}`);
    const folder = block.startsWith('cd mem-agent') ? this.folder : join(this.folder, 'mem-agent');
    return command('bash', [
      '-c',
      `cd '${folder}'; export PATH='${this.#programs}':"$PATH" COLDPGS_MOUNT='${this.mountPoint}' NODE_OPTIONS=; ${script}`,
    ]);
  }

  read(half: 'memcg' | 'compact', key: string): Promise<string> {
    return command('cat', [`${this.mountPoint}/sys/kernel/mm/mem_agent/${half}/${key}`]).then(({ stdout }) =>
      stdout.trim(),
    );
  }

  async settings(half: 'memcg' | 'compact'): Promise<Record<string, unknown>> {
    return JSON.parse(await this.read(half, 'settings')) as Record<string, unknown>;
  }

  #program(folder: string, name: string, script: string): void {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
}

async function daemonAt(t: Test, bench: Bench, options: readonly string[] = []): Promise<SimulatingDaemon> {
  const daemon = new SimulatingDaemon(t, bench.mountPoint, options);
  await daemon.logged('mounted');
  return daemon;
}

/** The JSON of a block's request, if it is one. */
function requestIn(block: string): { half: 'memcg' | 'compact'; settings: Record<string, unknown> } | undefined {
  const [, request, json = ''] = /(MemAgentMemcgSet|MemAgentCompactSet) json:\/\/(\{.*\})/.exec(block) ?? [];
  if (request === undefined) return undefined;
  return {
    half: request === 'MemAgentMemcgSet' ? 'memcg' : 'compact',
    settings: JSON.parse(json) as Record<string, unknown>,
  };
}

void t.test('mem-agent-srv starts the daemon with the autopilot on', { skip, timeout: 100_000 }, async (t) => {
  const blocks = [...new Set(blocksOf('mem-agent').filter((block) => block.includes('mem-agent-srv')))];
  t.equal(blocks.length, 3);
  for (const block of blocks) {
    const bench = new Bench(await temporaryFolder(t));
    const running = bench.run(
      `${block.trimEnd()} & pid=$!; while kill -0 $pid && ! [ -e '${bench.folder}/end' ]; do sleep 0.1; done; kill $pid; wait $pid`,
    );
    await eventually('the mount', () => existsSync(`${bench.folder}/end`) || isMounted(bench.mountPoint));
    const settings = await bench.settings('memcg');
    t.match(
      settings,
      { disabled: block.includes('--memcg-disabled true'), swap: block.includes('--memcg-swap true') },
      block,
    );
    t.match(await bench.settings('compact'), { disabled: false, compact_sec_max: 300 });
    writeFileSync(`${bench.folder}/end`, '');
    await running;
  }
});

void t.test('mem-agent-ctl and kata-agent-ctl change a running one', { skip, timeout: 100_000 }, async (t) => {
  const bench = new Bench(await temporaryFolder(t));
  await daemonAt(t, bench);
  const blocks = [...blocksOf('mem-agent'), ...blocksOf('kata-how-to-use-memory-agent')].filter((block) =>
    /-ctl /.test(block),
  );
  t.ok(blocks.length > 20);
  for (const block of blocks) {
    const { status, stderr } = await bench.run(block);
    t.equal(status, 0, `${block}${stderr}`);
    const request = requestIn(block);
    if (request)
      t.match(
        await bench.settings(request.half),
        request.settings.compact_force_times === undefined ? request.settings : {},
        block,
      );
    else t.match(await bench.settings('memcg'), { disabled: true });
  }
  t.equal(await bench.read('compact', 'compact_force_times'), '18446744073709551615');
});

void t.test('what the sed commands write is imported', { skip, timeout: 100_000 }, async (t) => {
  const bench = new Bench(await temporaryFolder(t));
  const blocks = blocksOf('kata-how-to-use-memory-agent').filter((block) => block.includes('sed -i'));
  t.ok(blocks.length > 15);
  for (const block of blocks) t.equal((await bench.run(block)).status, 0, block);
  await daemonAt(t, bench, ['--import-kata', bench.config]);
  // The document disables both, and its command for memcg_swap takes the line of memcg_swappiness_max as well.
  t.match(await bench.settings('memcg'), { disabled: true, swap: true, swappiness_max: 50, period_secs: 600 });
  t.match(await bench.settings('compact'), { disabled: true, compact_sec_max: 180, compact_order: 9 });
});

void t.test('every block of the documents is one of these, or says nothing to us', async (t) => {
  const others = [...blocksOf('mem-agent'), ...blocksOf('kata-how-to-use-memory-agent')].filter(
    (block) => !/mem-agent-srv|-ctl |sed -i/.test(block),
  );
  t.same(
    others,
    ['CONFIG_PSI=y\nCONFIG_LRU_GEN=y\n', 'cd mem-agent\nmake\n'],
    'kernel options, and the build of the Rust sources',
  );
});

void t.test(
  'per-cgroup forms, status, log level, and refusals with a sentence',
  { skip, timeout: 100_000 },
  async (t) => {
    const bench = new Bench(await temporaryFolder(t));
    await daemonAt(t, bench);
    const ctl = (args: string): Promise<Ended> => bench.run(`target/debug/mem-agent-ctl ${args}`);
    t.match(
      await ctl(
        'memcgset --memcg-add path=/web,numa-id=0,period-secs=60 --memcg-add path=/db,no-subdir=true,disabled=true',
      ),
      { status: 0 },
    );
    t.match(
      await ctl('memcgset --memcg-set path=/web,numa-id=0,swap=true --memcg-del path=/db --memcg-period-secs 30'),
      { status: 0 },
    );
    t.equal(await bench.read('memcg', 'cgroups'), 'path=/web,numa-id=0,period-secs=60,swap=true');
    t.match(await bench.settings('memcg'), { period_secs: 30 });
    t.match(await ctl('memcgset --memcg-del path=/nobody --memcg-period-secs 40'), {
      status: 2,
      stderr: /no settings of its own/,
    });
    t.match(await bench.settings('memcg'), { period_secs: 30 });
    t.match(await ctl('memcgset --memcg-swappiness-max 300'), { status: 2, stderr: /0 to 200, not 300/ });
    t.match(await ctl('compactset --compact-sec-max 100 --compact-force-times 18446744073709551615'), { status: 0 });
    t.match(await bench.settings('compact'), { compact_sec_max: 100 });
    t.match(await ctl('memcgstatus'), { status: 0, stdout: /^state: off\n[^]*memcg \d+ \/web\n node 0 / });
    t.match(await ctl('loglevelset debug'), { status: 0 });
    t.equal((await command('cat', [`${bench.mountPoint}/sys/kernel/mm/mem_agent/log_level`])).stdout, 'debug\n');
    t.match(await ctl('loglevelset loud'), { status: 2, stderr: /one of trace, debug/ });
    t.match(await ctl('memcgstatus --mount /nowhere'), { status: 5, stderr: /No coldpgs is mounted at \/nowhere/ });
  },
);

void t.test(
  'a changed configuration file is taken at SIGHUP, whole or not at all',
  { skip, timeout: 100_000 },
  async (t) => {
    const bench = new Bench(await temporaryFolder(t));
    const config = join(bench.folder, 'coldpgs.yaml');
    const write = (text: string): void => writeFileSync(config, text);
    write(
      'scan-period: 20\nmem_agent:\n  memcg: { disabled: false, period_secs: 60 }\n  cgroups:\n    - path=/web,swap=true\n',
    );
    const daemon = await daemonAt(t, bench, ['--config', config, '--memcg-swappiness-max', '70']);
    t.match(await bench.settings('memcg'), { disabled: false, period_secs: 60, swappiness_max: 70 });
    await bench.run(`echo true > ${bench.mountPoint}/sys/kernel/mm/mem_agent/memcg/swap`);
    write('scan-period: 30\nmem_agent:\n  memcg: { disabled: false, period_secs: 90 }\n');
    daemon.signal('SIGHUP');
    await daemon.logged('read again');
    t.match(await bench.settings('memcg'), { period_secs: 90, swappiness_max: 70, swap: true });
    t.equal(await bench.read('memcg', 'cgroups'), '');
    write('scan-period: 40\nmem_agent:\n  memcg: { period_secs: 0 }\n');
    daemon.signal('SIGHUP');
    await daemon.logged('was not taken');
    t.ok(
      daemon.log.some((line) => line.includes(`${config}:3:25: memcg period_secs takes`)),
      daemon.log.at(-1) ?? '',
    );
    t.match(await bench.settings('memcg'), { period_secs: 90 });
    const { stdout } = await command('cat', [`${bench.mountPoint}/sys/kernel/mm/kidled/scan_period_in_seconds`]);
    t.equal(stdout, '30\n');
  },
);

function isMounted(mountPoint: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${mountPoint} `);
}
