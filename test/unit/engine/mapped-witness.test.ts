import t from 'tap';
import { MappedWitness, type MappedSurroundings } from '../../../src/engine/mapped-witness.js';
import { MglruTracker } from '../../../src/engine/mglru-tracker.js';
import type { ReadWitness } from '../../../src/engine/tracker.js';
import { memcgOf, seenMemcg } from './frames-kernel.js';
import { never } from './world.js';

const memcg = memcgOf('/a', 7n);
const other = memcgOf('/b', 8n);

/** Processes by memcg and what each uses, and how long it takes to look at one. */
function witness(used: Record<string, number[]>, lookMs = 0) {
  const pids = Object.values(used).flat();
  const looked: number[] = [];
  let nowMs = 0;
  const kernel = {
    pageBytes: 4096,
    memcgs: { tasks: async (path: string) => (used[path] ?? []).map((pages) => pids.indexOf(pages)) },
    processes: {
      referencedFileBytes: async (pid: number) => {
        nowMs += lookMs;
        looked.push(pid);
        return (pids[pid] ?? 0) * 4096;
      },
    },
  };
  const clock = { nowMs: () => nowMs, sleep: async () => undefined };
  const surroundings = { kernel, clock, periodMs: () => 1000, cpuPercent: 10 } as unknown as MappedSurroundings;
  return { looked, witness: new MappedWitness(surroundings) };
}

void t.test('sums up what the processes of a memcg use, at most what it has mapped', async (t) => {
  const it = witness({ '/a': [1000, 500], '/b': [9000] });
  const seen = [seenMemcg(memcg, { file: 4000 }), seenMemcg(other, { file: 4000 })];
  await it.witness.observe(seen, () => 4000, never());
  t.equal(it.witness.usedPages(memcg), 1500);
  t.equal(it.witness.usedPages(other), 4000);
});

void t.test('does not look at memcgs without mapped page cache that could be missed', async (t) => {
  const it = witness({ '/a': [1000] });
  await it.witness.observe([seenMemcg(memcg, { file: 4000 })], () => 100, never());
  await it.witness.observe([seenMemcg(memcg, { file: 4000 })], () => undefined, never());
  t.strictSame(it.looked, []);
  t.equal(it.witness.usedPages(memcg), undefined);
});

void t.test('stays within its budget, and looks at each in its turn', async (t) => {
  const it = witness({ '/a': [1], '/b': [2] }, 101);
  const seen = [seenMemcg(memcg, { file: 4000 }), seenMemcg(other, { file: 4000 })];
  for (let look = 0; look < 4; look++) await it.witness.observe(seen, () => 4000, never());
  t.strictSame(it.looked, [0, 1, 0, 1]);
  t.equal(it.witness.usedPages(memcg), 1, 'what it saw in the look before is believed meanwhile');
  await it.witness.observe([seenMemcg(other, { file: 4000 })], () => 4000, never());
  t.equal(it.witness.usedPages(memcg), undefined, 'a memcg that is gone is forgotten');
});

void t.test('the mglru tracker makes young what agings missed', async (t) => {
  const it = witness({ '/a': [3000] });
  const reads: Partial<ReadWitness> = {
    name: 'kpageflags',
    start: async () => undefined,
    observe: async () => undefined,
    readPageCache: () => undefined,
    mappedPages: () => 4000,
  };
  const tracker = new MglruTracker(() => 1000, reads as ReadWitness, undefined, it.witness);
  await tracker.start();
  for (let look = 0; look < 6; look++) {
    await tracker.beforeAgings(look * 1000, never());
    await tracker.observe([seenMemcg(memcg, { file: 4000 }, look, 0)], look * 1000);
  }
  const cohorts = tracker.cohorts(memcg);
  const young = cohorts.filter(({ idleAtLeastMs }) => idleAtLeastMs === 0).reduce((sum, { pages }) => sum + pages, 0);
  t.equal(young, 3000);
  t.equal(
    cohorts.reduce((sum, { pages }) => sum + pages, 0),
    4000,
  );
  t.equal(tracker.readWitness, 'kpageflags, smaps');
  t.equal(tracker.idleFilePages(memcg, 3000, 5000), 1000, 'what is in use is idle for no three periods');
  t.equal(tracker.idleFilePages(memcg, 3000, 8000), 4000, 'three periods after the last look it may be');
  t.equal(tracker.idleFilePages(other, 3000, 5000), undefined, 'a memcg that was not looked at');
});
