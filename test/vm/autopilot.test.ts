/** The autopilot on a real kernel: what it takes, what it leaves, and when it does nothing. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon } from './daemon.js';
import { makeDataFile, removeDataFile } from './data-file.js';
import { eventually } from './eventually.js';
import { freeHugeBlocks, startHoles } from './holes.js';
import { assertAtMost } from './limits.js';
import { Memcg } from './memcg.js';
import { echo, read, sh } from './shell.js';
import { Workload } from './workload.js';

const hasPressure = existsSync('/proc/pressure/memory');
const folder = (daemon: Daemon): string => `${daemon.mountPoint}/sys/kernel/mm/mem_agent`;

/** Nothing of the machine's own is judged here: pressure of the emulated machine says nothing. */
const lenient = ['--memcg-period-psi-percent-limit', '100', '--memcg-eviction-psi-percent-limit', '100'];

void describe('the autopilot', { skip: hasPressure ? false : 'this kernel was booted without psi=1' }, () => {
  let daemon: Daemon;
  let memcg: Memcg;
  let workload: Workload;
  let files: string[];

  before(async () => {
    files = [await makeDataFile('hot', 32), await makeDataFile('cold', 96)];
    memcg = Memcg.make('flown');
    workload = await Workload.start(
      memcg,
      'anon:32:500',
      'anon:96:0',
      `read:32:500:${files[0] ?? ''}`,
      `mapped:96:0:${files[1] ?? ''}`,
    );
    daemon = await Daemon.start({
      options: [
        '--memcg-disabled',
        'false',
        '--memcg-swap',
        '1',
        '--memcg-swappiness-max',
        '200',
        '--memcg-period-secs',
        '4',
        ...lenient,
      ],
    });
  });
  after(async () => {
    await workload.stop();
    await memcg.remove();
    await daemon.remove();
    files.forEach(removeDataFile);
  });

  void it('takes what several agings found unused, of both types, and leaves what is in use', async () => {
    await eventually('the cold memory to be gone', async () => {
      const cold = (await workload.report()).filter(({ everyMs }) => everyMs === 0);
      return cold.every(({ mib, residentPages }) => residentPages < mib * 256 * 0.05);
    });
    const hot = (await workload.report()).filter(({ everyMs }) => everyMs > 0);
    for (const { type, mib, lostPages } of hot) assertAtMost(`pages of hot ${type} lost`, lostPages, mib * 256 * 0.02);
  });

  void it('says in status what it did to which memcg', async () => {
    const figures = new RegExp(`memcg \\d+ ${memcg.path}\\n( node 0 .*)`);
    // How a run ends depends on whether a probe of the last cold pages took some that are in use. It may go on for a while with the cold memory gone.
    const node = await eventually('the run to end', async () => {
      const line = figures.exec(await read(`${folder(daemon)}/memcg/status`))?.[1] ?? '';
      return / (done|in_use)=\d/.test(line) ? line : undefined;
    });
    const figure = (name: string): number => Number(new RegExp(` ${name} (\\d+)`).exec(node)?.[1]);
    assert.ok(figure('evicted_anon_pages') > 96 * 256 * 0.9, node);
    assert.ok(figure('evicted_file_pages') > 96 * 256 * 0.9, node);
    assert.ok(figure('agings') >= 1, node);
    assert.match(node, / too_few_agings=\d/);
  });

  void it('does nothing more once it is disabled', async () => {
    await echo('true', `${folder(daemon)}/memcg/disabled`);
    // A command that was given is not taken back, and the kernel may count what it scanned two seconds later (flush_memcg_stats_dwork in mm/memcontrol.c).
    await sleep(4000);
    const before = memcg.stat('pgscan');
    await sleep(12_000);
    assertAtMost('pages scanned', memcg.stat('pgscan') - before, 0);
  });
});

void describe('compaction', { skip: hasPressure ? false : 'this kernel was booted without psi=1' }, () => {
  const proactiveness = '/proc/sys/vm/compaction_proactiveness';
  const proactivenessBefore = readFileSync(proactiveness, 'utf8');
  let daemon: Daemon;

  before(async () => {
    // What the kernel compacts by itself meanwhile would be missing in what is gained.
    writeFileSync(proactiveness, '0');
    daemon = await Daemon.start({
      options: [
        '--compact-disabled',
        'false',
        '--compact-period-psi-percent-limit',
        '100',
        '--compact-psi-percent-limit',
        '100',
      ],
    });
  });
  after(async () => {
    await daemon.remove();
    writeFileSync(proactiveness, proactivenessBefore);
  });

  void it('gains blocks where memory is in fragments, and the process that does it has no file of ours open', async (t) => {
    const memcg = Memcg.make('fragments');
    const workload = await startHoles(memcg, 512);
    const before = freeHugeBlocks();
    try {
      // What is in the processors' own lists is out of a run's reach, and comes free a little later: several runs may be needed.
      await eventually(`more than ${before} free huge blocks`, async () => {
        const { status, stderr } = await sh('echo 1 > "$RUN"', { RUN: `${folder(daemon)}/compact/run` });
        assert.equal(status, 0, stderr);
        const text = await read(`${folder(daemon)}/compact/status`);
        t.diagnostic(`${freeHugeBlocks()} free huge blocks, ${before} before; ${text.replaceAll('\n', '; ')}`);
        assert.match(text, /last_run_reason: fragmented\n/);
        assert.match(text, /last_run_ended: done\n/);
        assert.match(text, /last_run_blocks_gained: -?\d+\n/);
        return freeHugeBlocks() > before;
      });
    } finally {
      await workload.stop();
      await memcg.remove();
    }
    const starters = (await sh('grep -l coldpgs-compaction /proc/[0-9]*/cmdline | cut -d/ -f3; true', {})).stdout
      .trim()
      .split('\n');
    for (const pid of starters.filter((one) => one !== '' && existsSync(`/proc/${one}/fd`))) {
      const open = (await sh('ls -l "/proc/$PID/fd"; true', { PID: pid })).stdout;
      assert.doesNotMatch(open, /\/dev\/fuse/);
    }
  });

  void it('leaves no process behind after SIGKILL of the daemon', async () => {
    const other = await Daemon.start();
    other.kill('SIGKILL');
    await other.ended;
    await eventually('the starter to end', async () => {
      const commands = (
        await sh(`grep -l "" /proc/[0-9]*/cmdline | while read f; do tr '\\0' ' ' < $f; echo; done; true`, {})
      ).stdout;
      return (commands.match(/coldpgs-compaction/g) ?? []).length <= 1;
    });
    await other.remove();
  });
});

void describe('tasks that wait', { skip: hasPressure ? false : 'this kernel was booted without psi=1' }, () => {
  let daemon: Daemon;
  let memcg: Memcg;
  let workload: Workload;
  let dataFile: string;

  before(async () => {
    dataFile = await makeDataFile('waited-for', 16);
    memcg = Memcg.make('waiting');
    workload = await Workload.start(memcg, 'anon:64:0');
    // With the limits that the autopilot has by itself: 1 %.
    daemon = await Daemon.start({
      options: ['--memcg-disabled', 'false', '--memcg-swap', '1', '--memcg-period-secs', '4'],
    });
  });
  after(async () => {
    await workload.stop();
    await memcg.remove();
    await daemon.remove();
    removeDataFile(dataFile);
  });

  const counted = async (end: string): Promise<number> => {
    const status = await read(`${folder(daemon)}/memcg/status`);
    const node = new RegExp(`memcg \\d+ ${memcg.path}\\n( node 0 .*)`).exec(status)?.[1] ?? '';
    return Number(new RegExp(` ${end}[= ](\\d+)`).exec(node)?.[1] ?? 0);
  };

  void it('keep their memcg from being reclaimed, until they wait no more', async () => {
    // Reads that go past the page cache: each is waited for, and leaves nothing behind.
    const waiting = sh(
      'echo $$ > "$MEMCG/cgroup.procs"; while [ -e "$DATA" ]; do dd if="$DATA" of=/dev/null bs=4k iflag=direct status=none; done',
      { MEMCG: memcg.folder, DATA: dataFile },
    );
    await eventually('four periods to be refused', async () => (await counted('period_psi_exceeds_limit')) >= 4);
    assert.equal(await counted('evicted_anon_pages'), 0);
    assert.equal(memcg.stat('pgscan'), 0);
    removeDataFile(dataFile);
    await waiting;
    await eventually('the cold memory to be gone', async () => (await counted('evicted_anon_pages')) > 0.9 * 64 * 256);
  });
});
