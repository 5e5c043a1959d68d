/** A machine with two memory nodes (kernel command line: numa=fake=2). */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Daemon } from '../daemon.js';
import { assertAtLeast, assertNear, mib } from '../limits.js';
import { Memcg } from '../memcg.js';
import { cat, echo } from '../shell.js';
import { Workload } from '../workload.js';

const setBytes = 48 * mib;

void describe('a memcg with memory on two nodes', () => {
  let daemon: Daemon;
  let memcg: Memcg;
  let cpusets: string[];
  let workloads: Workload[];

  before(async () => {
    daemon = await Daemon.start();
    memcg = Memcg.make('nodes');
    writeFileSync('/sys/fs/cgroup/cgroup.subtree_control', '+cpuset');
    memcg.write('cgroup.subtree_control', '+cpuset');
    cpusets = ['0', '1'].map((node) => {
      const folder = memcg.file(`node-${node}`);
      mkdirSync(folder);
      writeFileSync(`${folder}/cpuset.mems`, node);
      return folder;
    });
    workloads = [];
    for (const folder of cpusets)
      workloads.push(await Workload.start({ file: (name) => `${folder}/${name}` }, 'anon:48:0'));
    await daemon.cold(memcg);
  });
  after(async () => {
    for (const workload of workloads) await workload.stop();
    for (const folder of cpusets) rmdirSync(folder);
    await memcg.remove();
    await daemon.remove();
  });

  const anonByNode = (): number[] => {
    const line = /^anon(?: N\d+=\d+)+$/m.exec(readFileSync(memcg.file('memory.numa_stat'), 'utf8'))?.[0] ?? '';
    return Array.from(line.matchAll(/=(\d+)/g), ([, bytes]) => Number(bytes));
  };

  void it('has as much on each, and coldpgs knows of both', async () => {
    for (const bytes of anonByNode()) assertAtLeast('bytes on a node', bytes, 0.95 * setBytes);
    assert.match(await cat(`${daemon.mountPoint}/coldpgs/capabilities`), /^nodes: 0,1$/m);
  });

  void it('loses no more than the size asked for, whichever node it comes from', async () => {
    const before = memcg.anonBytes();
    await echo(2, daemon.globalFile('mode'));
    await echo(1, daemon.memcgFile(memcg, 'threshold'));
    await echo(32 * mib, daemon.memcgFile(memcg, 'size'));
    assertNear('gone from memory', before - memcg.anonBytes(), 32 * mib, 0.02);
  });

  void it('loses what is cold on both, without a limit', async () => {
    await daemon.reclaimCold(memcg, 2);
    for (const [node, workload] of workloads.entries())
      assertAtLeast(`swapped out on node ${node}`, workload.swappedBytes(), 0.95 * setBytes);
    const rows = await daemon.stats(memcg);
    assertNear('anon swap out', (rows.get('anon swap out') ?? 0) * 1024, 2 * setBytes, 0.05);
  });

  void it('gets all of it back', async () => {
    await echo('swapin', daemon.memcgFile(memcg, 'swapin'));
    for (const workload of workloads) assert.ok(workload.swappedBytes() < mib);
  });
});
