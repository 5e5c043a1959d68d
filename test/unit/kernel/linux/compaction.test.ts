import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { CompactionInterface } from '../../../../src/kernel/compaction.js';
import { captured } from '../fixtures.js';
import { machine } from './machine.js';

// What waits for a compaction does not keep a process alive by itself.
const alive = setInterval(() => undefined, 1000);
t.teardown(() => clearInterval(alive));

const file = 'proc/sys/vm/compact_memory';

/** A machine whose compaction is a file, or a pipe that nobody reads: that is one that goes on until it is killed. */
function compacting(
  t: Test,
  kind: 'file' | 'pipe' | 'none',
): { compaction: CompactionInterface; written: () => string } {
  const it = machine(t);
  if (kind === 'file') it.write(file, '');
  if (kind === 'pipe') execFileSync('mkfifo', [it.file(file)]);
  // A folder cannot be written to, by root neither.
  if (kind === 'none') execFileSync('mkdir', [it.file(file)]);
  const { compaction } = it.kernel;
  compaction.prepare();
  t.teardown(() => compaction.close());
  return { compaction, written: () => readFileSync(it.file(file), 'utf8') };
}

void t.test('a compaction is a write of 1, by a process of its own, and can be had again', async (t) => {
  const { compaction, written } = compacting(t, 'file');
  for (let time = 0; time < 3; time++) {
    t.equal(await compaction.start().ended, 'done');
    t.equal(written(), '1\n');
  }
});

void t.test('one that goes on is killed, and the next can be started; a kill too late does no harm', async (t) => {
  const { compaction } = compacting(t, 'pipe');
  for (let time = 0; time < 3; time++) {
    const run = compaction.start();
    t.throws(() => compaction.start(), { code: 'KERNEL_REFUSED' }, 'one at a time');
    // As the engine does: again and again until it has ended.
    const killing = setInterval(() => run.kill(), 20);
    t.equal(await run.ended, 'killed');
    clearInterval(killing);
    run.kill();
    await sleep(20);
  }
});

void t.test('of one node: a write to its own file', async (t) => {
  const it = machine(t, { sys: { devices: { system: { node: { node1: { compact: '' } } } } } });
  it.kernel.compaction.prepare();
  t.teardown(() => it.kernel.compaction.close());
  t.equal(await it.kernel.compaction.start(1).ended, 'done');
  t.equal(readFileSync(it.file('sys/devices/system/node/node1/compact'), 'utf8'), '1\n');
});

void t.test('a kernel that refuses', async (t) => {
  t.equal(await compacting(t, 'none').compaction.start().ended, 'refused');
});

/** Kills the processes of this one that start compactions, and waits for their end. */
async function killStarters(): Promise<void> {
  for (const pid of readdirSync('/proc').map(Number).filter(Boolean)) if (isStarter(pid)) process.kill(pid, 'SIGKILL');
  await sleep(100);
}

function isStarter(pid: number): boolean {
  try {
    const parent = Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1]);
    return parent === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('coldpgs-compaction');
  } catch {
    return false;
  }
}

void t.test(
  'the process that starts others is killed: another one does, where it does not inherit /dev/fuse',
  async (t) => {
    const closesOnExec = 0o2100002;
    for (const [flags, restarts] of [
      [undefined, true],
      [closesOnExec, true],
      [0o100002, false],
    ] as const) {
      const it = machine(t);
      it.write(file, '');
      for (const folder of ['fd', 'fdinfo']) mkdirSync(it.file(`proc/self/${folder}`));
      if (flags !== undefined) {
        symlinkSync('/dev/fuse', it.file('proc/self/fd/9'));
        writeFileSync(it.file('proc/self/fdinfo/9'), `pos:\t0\nflags:\t0${flags.toString(8)}\nmnt_id:\t9\n`);
      }
      const { compaction } = it.kernel;
      compaction.prepare();
      t.teardown(() => compaction.close());
      await killStarters();
      if (restarts) t.equal(await compaction.start().ended, 'done');
      else t.throws(() => compaction.start(), { code: 'KERNEL_REFUSED' }, 'a dead mount would hang');
      compaction.close();
    }
  },
);

void t.test('it is killed in the middle of a compaction: that counts as refused, the next one as usual', async (t) => {
  const it = machine(t);
  execFileSync('mkfifo', [it.file(file)]);
  mkdirSync(it.file('proc/self/fd'));
  const { compaction } = it.kernel;
  compaction.prepare();
  t.teardown(() => compaction.close());
  const run = compaction.start();
  await killStarters();
  t.equal(await run.ended, 'refused');
  const next = compaction.start();
  const killing = setInterval(() => next.kill(), 20);
  t.equal(await next.ended, 'killed');
  clearInterval(killing);
  // What the killed one may have begun waits until somebody reads.
  closeSync(openSync(it.file(file), constants.O_RDONLY | constants.O_NONBLOCK));
});

void t.test('without the process that starts others nothing is started', async (t) => {
  const { compaction } = machine(t).kernel;
  t.throws(() => compaction.start(), { code: 'KERNEL_REFUSED' });
});

void t.test('processors give back what is in their lists when their counters are refreshed', async (t) => {
  const it = machine(t);
  it.write('proc/sys/vm/stat_refresh', '');
  await it.kernel.compaction.drainProcessorLists();
  t.equal(readFileSync(it.file('proc/sys/vm/stat_refresh'), 'utf8'), '1');
});

void t.test('a kernel for one processor has no counters to refresh; one that refuses is told of', async (t) => {
  await machine(t).kernel.compaction.drainProcessorLists();
  const it = machine(t);
  mkdirSync(it.file('proc/sys/vm/stat_refresh'));
  await t.rejects(it.kernel.compaction.drainProcessorLists(), { code: 'KERNEL_REFUSED' });
});

void t.test('free memory, from three files of the kernel', async (t) => {
  const proc = Object.fromEntries(
    ['meminfo', 'pagetypeinfo', 'buddyinfo'].map((name) => [name, captured('kernel-6.12', name)]),
  );
  const free = await machine(t, { proc }).kernel.compaction.freeMemory();
  t.ok(free.freeBytes > 0);
  t.equal(free.blocksByOrder.length, 11);
  t.equal(free.movablePagesByOrder.length, 11);
});
