/** Every command line of mem-agent's and of Kata's document, as it is written there, against the daemon over a simulated machine. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { command, type Ended, reasonToSkip, temporaryFolder } from './fixture.js';
import { Bench, blocksOf, daemonAt, type Half, otherThan, textsIn } from './mem-agent-bench.js';

const skip = reasonToSkip();

/** What a client's block sets, each value as it is written. */
function changeIn(block: string): { half: Half; settings: Record<string, string> } {
  const [, request, json = ''] = /(MemAgentMemcgSet|MemAgentCompactSet) json:\/\/(\{.*\})/.exec(block) ?? [];
  if (request !== undefined)
    return { half: request === 'MemAgentMemcgSet' ? 'memcg' : 'compact', settings: textsIn(json) };
  const [, half, key = '', value = ''] =
    /mem-agent-ctl (memcg|compact)set --(?:memcg|compact)-(\w+) (\w+)/.exec(block) ?? [];
  if (half !== 'memcg' && half !== 'compact') throw new Error(`nothing is set by ${block}`);
  return { half, settings: { [key]: value } };
}

void t.test('mem-agent-srv starts the daemon with the autopilot on', { skip, timeout: 100_000 }, async (t) => {
  const blocks = [...new Set(blocksOf('mem-agent').filter((block) => block.includes('mem-agent-srv')))];
  t.equal(blocks.length, 3);
  for (const block of blocks) {
    const bench = new Bench(await temporaryFolder(t));
    await bench.whileServing(block, async () => {
      t.match(
        await bench.settings('memcg'),
        { disabled: block.includes('--memcg-disabled true'), swap: block.includes('--memcg-swap true') },
        block,
      );
      t.match(await bench.settings('compact'), { disabled: false, compact_sec_max: 300 });
    });
  }
});

void t.test('mem-agent-ctl and kata-agent-ctl change a running one', { skip, timeout: 100_000 }, async (t) => {
  const bench = new Bench(await temporaryFolder(t));
  await daemonAt(t, bench);
  const blocks = [...blocksOf('mem-agent'), ...blocksOf('kata-how-to-use-memory-agent')].filter((block) =>
    /-ctl /.test(block),
  );
  t.ok(blocks.length > 20);
  for (const block of new Set(blocks)) {
    const { half, settings } = changeIn(block);
    // Most of the documents' values are the defaults: what is there before is none of them.
    for (const [key, value] of Object.entries(settings)) await bench.write(half, key, otherThan(value));
    const before = await bench.texts(half);
    t.match(before, Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, otherThan(value)])));
    const { status, stderr } = await bench.run(block);
    t.equal(status, 0, `${block}${stderr}`);
    t.same(await bench.texts(half), { ...before, ...settings }, block);
  }
});

/** Kata's keys for those of the files. */
const kataKeys: Readonly<Record<Half, readonly string[]>> = {
  memcg: [
    'memcg_swap',
    'memcg_swappiness_max',
    'memcg_period_secs',
    'memcg_period_psi_percent_limit',
    'memcg_eviction_psi_percent_limit',
    'memcg_eviction_run_aging_count_min',
  ],
  compact: [
    'compact_period_secs',
    'compact_period_psi_percent_limit',
    'compact_psi_percent_limit',
    'compact_sec_max',
    'compact_order',
    'compact_threshold',
    'compact_force_times',
  ],
};

/** What a block's sed command looks for, and the line that it means to leave. */
function editIn(block: string): { key: string; line: string } {
  const [, key = '', line = ''] = /'s\/\^#(\w+)\.\*\$\/(.*)\/g'/.exec(block) ?? [];
  return { key, line: line.replaceAll('\\', '') };
}

const sedBlocks = blocksOf('kata-how-to-use-memory-agent').filter((block) => block.includes('sed -i'));

void t.test('what the sed commands write is imported', { skip, timeout: 100_000 }, async (t) => {
  const bench = new Bench(await temporaryFolder(t));
  const lines = (): string[] => readFileSync(bench.config, 'utf8').split('\n');
  t.ok(sedBlocks.length > 15);
  for (const block of sedBlocks) {
    const { key, line } = editIn(block);
    t.equal((await bench.run(block)).status, 0, block);
    t.notOk(
      lines().some((one) => one.startsWith(`#${key}`)),
      `no line for ${key} is left as it was`,
    );
    // The document's command for memcg_swap takes the line of memcg_swappiness_max as well: that of the latter finds none.
    if (key === 'memcg_swap') t.equal(lines().filter((one) => one === line).length, 2, line);
    else t.equal(lines().filter((one) => one === line).length, key === 'memcg_swappiness_max' ? 0 : 1, line);
  }
  await daemonAt(t, bench, ['--import-kata', bench.config]);
  t.match(await bench.settings('memcg'), { disabled: true, swap: true, swappiness_max: 50, period_secs: 600 });
  t.match(await bench.settings('compact'), { disabled: true, compact_sec_max: 180, compact_order: 9 });
});

void t.test(
  'without the lines that disable it, all that they write is in force',
  { skip, timeout: 100_000 },
  async (t) => {
    const bench = new Bench(await temporaryFolder(t));
    // Backwards, so that memcg_swap comes after memcg_swappiness_max and takes its own line only.
    const blocks = sedBlocks.filter((block) => !/_disable/.test(block)).reverse();
    for (const block of blocks) {
      await bench.run(block);
      const { line } = editIn(block);
      t.equal(
        readFileSync(bench.config, 'utf8')
          .split('\n')
          .filter((one) => one === line).length,
        1,
        line,
      );
    }
    const written = Object.fromEntries(blocks.map((block) => editIn(block).line.split(' = ') as [string, string]));
    // A command line of other values lies below Kata's file: no default can pass for what the file says.
    const cmdline = join(bench.folder, 'cmdline');
    const keys = [...kataKeys.memcg, ...kataKeys.compact];
    writeFileSync(cmdline, keys.map((key) => `agent.mem_agent_${key}=${otherThan(written[key] ?? '')}`).join(' '));
    await daemonAt(t, bench, ['--import-kata', bench.config, '--import-cmdline', cmdline]);
    for (const half of ['memcg', 'compact'] as const) {
      const expected = kataKeys[half].map((key) => [
        key.startsWith('memcg_') || /^compact_period/.test(key) ? key.replace(/^(memcg|compact)_/, '') : key,
        written[key],
      ]);
      t.same(await bench.texts(half), { disabled: 'false', ...Object.fromEntries(expected) });
    }
  },
);

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
