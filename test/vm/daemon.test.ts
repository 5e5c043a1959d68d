/** The life of the daemon: what it keeps, what it gives back, and what it says. */
import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, afterEach, before, describe, it } from 'node:test';
import { Daemon } from './daemon.js';
import { makeDataFile, removeDataFile } from './data-file.js';
import { eventually, inTheAct } from './eventually.js';
import { assertAtMost, assertNear, mib } from './limits.js';
import { Memcg } from './memcg.js';
import { cat, echo, type Ended, read, says, sh } from './shell.js';
import { swapDevices } from './swap.js';
import { Workload } from './workload.js';

const unlimited = 1024 * mib;

void describe('over a restart', () => {
  let daemon: Daemon;
  let memcg: Memcg;
  let workload: Workload;
  let dataFile: string;

  before(async () => {
    daemon = await Daemon.start();
    memcg = Memcg.make('kept');
    dataFile = await makeDataFile('kept', 16);
    workload = await Workload.start(memcg, `read:16:0:${dataFile}`);
    await daemon.reclaimCold(memcg, 1);
    assertNear('pagecache dropped', await dropped(), 16 * mib, 0.05);
  });
  after(async () => {
    await workload.stop();
    await memcg.remove();
    await daemon.remove();
    removeDataFile(dataFile);
  });

  const dropped = async (): Promise<number> => ((await daemon.stats(memcg)).get('pagecache dropped') ?? 0) * 1024;

  /** All that one may write and read back. */
  const controls = async (): Promise<string> => {
    const files = [
      ...['flags', 'batch', 'hierarchy', 'mode', 'threshold', 'threshold_nonrot'].map((name) =>
        daemon.globalFile(name),
      ),
      ...['flags', 'threshold', 'size', 'stats'].map((name) => daemon.memcgFile(memcg, name)),
    ];
    return (await Promise.all(files.map(cat))).join('');
  };

  void it('by SIGTERM counters and controls are kept, and the exit code is 0', async () => {
    await echo('0x1', daemon.globalFile('flags'));
    await echo(64, daemon.globalFile('batch'));
    await echo(1, daemon.globalFile('hierarchy'));
    await echo(3, daemon.globalFile('threshold_nonrot'));
    await echo('0x700000005', daemon.memcgFile(memcg, 'flags'));
    await echo(7, daemon.memcgFile(memcg, 'threshold'));
    const before = await controls();
    assert.equal(await daemon.stop('SIGTERM'), 0);
    assert.equal(daemon.isMounted(), false);
    daemon = await Daemon.start({ after: daemon });
    assert.equal(await controls(), before);
  });

  void it('by a SIGKILL to the daemon: the mount, open files and every write survive', async () => {
    await echo('0x300000007', daemon.memcgFile(memcg, 'flags'));
    await echo(32, daemon.globalFile('batch'));
    const before = await controls();
    const held = openSync(daemon.globalFile('batch'), 'r');
    process.kill(daemon.servingPid, 'SIGKILL');
    assert.equal(await controls(), before);
    const buffer = Buffer.alloc(10);
    assert.equal(buffer.toString('latin1', 0, readSync(held, buffer, 0, 10, 0)), '32\n');
    closeSync(held);
    assert.equal(daemon.isMounted(), true);
    assert.ok(daemon.hasLogged('the daemon before this one was ended by SIGKILL'), daemon.log);
  });

  void it('by SIGKILL to all of it: all but the last second is kept, and the dead mount is detached', async () => {
    await echo('0x300000009', daemon.memcgFile(memcg, 'flags'));
    await echo(128, daemon.globalFile('batch'));
    const before = await controls();
    await eventually('the state to be saved', () =>
      readFileSync(join(daemon.stateFolder, 'state.json'), 'utf8').includes('"batch":128'),
    );
    assert.equal(await daemon.stop('SIGKILL'), 'SIGKILL');
    assert.equal(daemon.isMounted(), true);
    daemon = await Daemon.start({ after: daemon });
    assert.ok(daemon.hasLogged('detaching the dead mount'), daemon.log);
    assert.equal(await controls(), before);
  });

  void it('a change is saved within about a second', async () => {
    await echo(256, daemon.globalFile('batch'));
    await sleep(3000);
    assert.match(readFileSync(join(daemon.stateFolder, 'state.json'), 'utf8'), /"batch":256/);
  });

  void it('a state file that is cut short is set aside, and counters start at zero', async () => {
    await daemon.stop();
    const stateFile = join(daemon.stateFolder, 'state.json');
    const text = readFileSync(stateFile, 'utf8').slice(0, -20);
    writeFileSync(stateFile, text);
    daemon = await Daemon.start({ after: daemon });
    assert.ok(daemon.hasLogged('the saved state cannot be trusted'), daemon.log);
    const aside = readdirSync(daemon.stateFolder).find((name) => name.includes('set-aside')) ?? 'none';
    assert.equal(readFileSync(join(daemon.stateFolder, aside), 'utf8'), text);
    assert.equal(await dropped(), 0);
  });
});

void describe('a kernel whose MgLRU is off', () => {
  const lruGenSwitch = '/sys/kernel/mm/lru_gen/enabled';
  const isOn = (): boolean => (Number(readFileSync(lruGenSwitch, 'utf8')) & 1) === 1;
  let daemon: Daemon | undefined;

  before(() => writeFileSync(lruGenSwitch, 'n'));
  afterEach(async () => {
    await daemon?.remove();
    daemon = undefined;
  });
  after(() => writeFileSync(lruGenSwitch, 'y'));

  void it('has it on while coldpgs runs, and off again at its end', async () => {
    assert.equal(isOn(), false);
    daemon = await Daemon.start();
    assert.equal(isOn(), true);
    assert.ok(daemon.hasLogged('MgLRU was off and is on now'));
    assert.equal(await daemon.stop(), 0);
    assert.equal(isOn(), false);
  });

  void it('and stays on when only the daemon is killed and the next one goes on', async () => {
    daemon = await Daemon.start();
    process.kill(daemon.servingPid, 'SIGKILL');
    await eventually('the next daemon', () => daemon?.hasLogged('the daemon before this one'));
    await sleep(1000);
    assert.equal(isOn(), true);
    assert.equal(await daemon.stop(), 0);
    assert.equal(isOn(), false);
  });

  void it('and off again when coldpgs is killed', async () => {
    daemon = await Daemon.start();
    assert.equal(isOn(), true);
    await daemon.stop('SIGKILL');
    await eventually('MgLRU to be off', () => !isOn());
  });

  void it('is left alone with --keep-lru-gen', async () => {
    daemon = await Daemon.start({ options: ['--keep-lru-gen'] });
    assert.equal(isOn(), false);
    assert.ok(daemon.hasLogged('MgLRU is off and left off'));
    assert.equal(await daemon.stop(), 0);
  });
});

void describe('a machine that lacks something', () => {
  void it('without debugfs: exit code 6, and a sentence that says what to do', async () => {
    await says('umount /sys/kernel/debug');
    const daemon = Daemon.launch();
    try {
      assert.equal(await daemon.ended, 6);
      assert.match(daemon.log, /mount -t debugfs/);
    } finally {
      await says('mount -t debugfs debugfs /sys/kernel/debug');
      await daemon.remove();
    }
  });

  void it('without swap: anonymous memory stays, and coldpgs/errors says why', async () => {
    const devices = swapDevices().join(' ');
    await says(`swapoff ${devices}`);
    const daemon = await Daemon.start();
    const memcg = Memcg.make('no-swap');
    const workload = await Workload.start(memcg, 'anon:16:0');
    try {
      await memcg.cold();
      await echo(2, daemon.globalFile('mode'));
      await echo(1, daemon.memcgFile(memcg, 'threshold'));
      await echo(unlimited, daemon.memcgFile(memcg, 'size'));
      assert.equal((await daemon.stats(memcg)).get('anon swap out'), 0);
      assert.match(
        await daemon.errors(),
        new RegExp(`${memcg.path}: anonymous memory was left alone: the machine has no swap; add some with swapon`),
      );
    } finally {
      await workload.stop();
      await memcg.remove();
      await daemon.remove();
      for (const device of devices.split(' ')) await says(`swapon ${device}`);
    }
  });
});

void describe('writers', () => {
  let daemon: Daemon;
  let memcg: Memcg;
  let workload: Workload;

  before(async () => {
    daemon = await Daemon.start();
    memcg = Memcg.make('writers');
    workload = await Workload.start(memcg, 'anon:128:0');
    await memcg.cold();
    await echo(2, daemon.globalFile('mode'));
  });
  after(async () => {
    await workload.stop();
    await memcg.remove();
    await daemon.remove();
  });

  /** Starts to reclaim so many bytes; resolves when the run has begun, with its end. */
  async function startRun(bytes: number): Promise<{ end: Promise<Ended> }> {
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    const end = sh('echo "$BYTES" > "$FILE"', { BYTES: String(bytes), FILE: daemon.memcgFile(memcg, 'size') });
    await inTheAct('the run to begin', async () => (await read(daemon.memcgFile(memcg, 'threshold'))) === '0\n');
    return { end };
  }

  void it('two on one memcg are served one after the other', async () => {
    const ends: string[] = [];
    const first = await startRun(32 * mib);
    const firstEnd = first.end.then((ended) => (ends.push('first'), ended));
    const second = await startRun(16 * mib);
    const secondEnd = second.end.then((ended) => (ends.push('second'), ended));
    for (const { status, stderr } of await Promise.all([firstEnd, secondEnd])) assert.equal(status, 0, stderr);
    assert.deepEqual(ends, ['first', 'second']);
    const swappedOut = ((await daemon.stats(memcg)).get('anon swap out') ?? 0) * 1024;
    assertNear('anon swap out', swappedOut, 48 * mib, 0.02);
  });

  void it('one whose daemon is killed in the middle gets EINTR, and the run is not begun again', async () => {
    await memcg.cold();
    const before = memcg.read('memory.swap.current');
    const { end } = await startRun(unlimited);
    await inTheAct('the run to evict something', () => memcg.read('memory.swap.current') !== before);
    process.kill(daemon.servingPid, 'SIGKILL');
    const { status, stderr } = await end;
    assert.notEqual(status, 0);
    assert.match(stderr, /Interrupted system call/);
    assert.equal(await cat(daemon.memcgFile(memcg, 'size')), '0\n', 'the pair was taken');
    assert.match(await cat(`${daemon.mountPoint}/coldpgs/gauges`), /^writesInProgress: 0$/m);
  });

  void it('one that gets a signal ends with EINTR, and what was done until then is counted', async () => {
    await echo('swapin', daemon.memcgFile(memcg, 'swapin'));
    await memcg.cold();
    await echo(0, daemon.memcgFile(memcg, 'stats'));
    const before = memcg.anonBytes();
    const swappedBefore = Number(memcg.read('memory.swap.current'));
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    const pidFile = join(daemon.stateFolder, 'writer');
    const end = sh('trap : USR1; echo $$ > "$PID_FILE"; echo "$BYTES" > "$FILE"', {
      PID_FILE: pidFile,
      BYTES: String(unlimited),
      FILE: daemon.memcgFile(memcg, 'size'),
    });
    await inTheAct(
      'the run to evict something',
      () => Number(memcg.read('memory.swap.current')) > swappedBefore + 4 * mib,
    );
    process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGUSR1');
    const { status, stderr } = await end;
    assert.notEqual(status, 0);
    assert.match(stderr, /Interrupted system call/);
    const gone = before - memcg.anonBytes();
    const counted = ((await daemon.stats(memcg)).get('anon swap out') ?? 0) * 1024;
    assertNear('anon swap out', counted, gone, 0.05);
    assertAtMost('bytes gone', gone, 127 * mib);
  });

  void it('one whose run is under way when coldpgs is stopped gets EINTR, and the exit code is 0', async () => {
    await memcg.cold();
    const before = memcg.read('memory.swap.current');
    const { end } = await startRun(unlimited);
    await inTheAct('the run to evict something', () => memcg.read('memory.swap.current') !== before);
    assert.equal(await daemon.stop(), 0);
    assert.equal(daemon.isMounted(), false);
    const { status, stderr } = await end;
    assert.notEqual(status, 0);
    assert.match(stderr, /Interrupted system call/);
    daemon = await Daemon.start({ after: daemon });
  });
});

void describe('four reclaims at once', () => {
  let daemon: Daemon;
  let memcgs: Memcg[];
  let workloads: Workload[];
  let quietMs: number[];
  let busyMs: number[];
  let statuses: unknown[];

  before(async () => {
    daemon = await Daemon.start();
    memcgs = ['a', 'b', 'c', 'd'].map((name) => Memcg.make(name));
    workloads = [];
    for (const memcg of memcgs) workloads.push(await Workload.start(memcg, 'anon:64:0'));
    await Promise.all(memcgs.map((memcg) => memcg.cold()));
    await echo(2, daemon.globalFile('mode'));
    for (const memcg of memcgs) await echo(1, daemon.memcgFile(memcg, 'threshold'));

    quietMs = [];
    for (let round = 0; round < 200; round++) quietMs.push(await timedRead(round));
    let running = true;
    const ends = Promise.all(
      memcgs.map((memcg) => sh('echo 1000000000 > "$FILE"', { FILE: daemon.memcgFile(memcg, 'size') })),
    );
    void ends.then(() => (running = false));
    busyMs = [];
    for (let round = 0; running; round++) busyMs.push(await timedRead(round));
    statuses = (await ends).map(({ status }) => status);
  });
  after(async () => {
    for (const workload of workloads) await workload.stop();
    for (const memcg of memcgs) await memcg.remove();
    await daemon.remove();
  });

  /** Milliseconds that open, read and close of a stats file take. */
  async function timedRead(round: number): Promise<number> {
    const memcg = memcgs[round % memcgs.length];
    if (!memcg) return 0;
    await sleep(2);
    const startMs = performance.now();
    const descriptor = openSync(daemon.memcgFile(memcg, 'stats'), 'r');
    readSync(descriptor, Buffer.alloc(4096));
    closeSync(descriptor);
    return performance.now() - startMs;
  }

  void it('all succeed', () => assert.deepEqual(statuses, [0, 0, 0, 0]));

  void it('reads are answered meanwhile', (t) => {
    const quiet = percentile(quietMs, 0.99);
    const busy = percentile(busyMs, 0.99);
    t.diagnostic(`${quietMs.length} quiet reads: p50 ${percentile(quietMs, 0.5)} ms, p99 ${quiet} ms`);
    t.diagnostic(`${busyMs.length} reads during the reclaims: p50 ${percentile(busyMs, 0.5)} ms, p99 ${busy} ms`);
    // A bound against reads that wait for reclaims, with room for an emulated machine; bench/reads measures.
    assertAtMost('p99 of reads in ms', busy, Math.max(250, 20 * quiet));
  });
});

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round((sorted[Math.floor(share * (sorted.length - 1))] ?? 0) * 100) / 100;
}
