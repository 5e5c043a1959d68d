import t from 'tap';
import { IdlePageTracker } from '../../../src/engine/idle-page-tracker.js';
import type { TrackerSurroundings } from '../../../src/engine/tracker-surroundings.js';
import type { Kernel, Memcg } from '../../../src/kernel/kernel.js';
import { noIdlePages } from '../../../src/kernel/simulated/no-such-interface.js';
import { memcgOf, ModelFrames, seenMemcg } from './frames-kernel.js';
import { never } from './world.js';

const periodMs = 1000;
const memcg = memcgOf('/a', 7n);
const other = memcgOf('/b', 8n);

function surroundings(
  kernel: Partial<Kernel>,
  nowMs: () => number = () => 0,
): TrackerSurroundings & { naps: number[] } {
  const naps: number[] = [];
  const clock = { nowMs, sleep: async (ms: number) => void naps.push(ms) };
  return { kernel, clock, cpuPercent: 2, periodMs: () => periodMs, naps } as unknown as TrackerSurroundings & {
    naps: number[];
  };
}

class Rounds {
  atMs = 0;
  constructor(
    readonly tracker: IdlePageTracker,
    readonly frames: ModelFrames,
  ) {}

  /** A look around an aging, as in each round of the clock. */
  async look(): Promise<void> {
    this.atMs += periodMs;
    await this.tracker.beforeAgings(this.atMs, never());
    this.frames.age();
    await this.tracker.observe([seenMemcg(memcg, {}), seenMemcg(other, {})]);
  }

  /** Pages by idle periods, at least. */
  pages(of: Memcg, type: string): Record<string, number> {
    const cohorts = this.tracker.cohorts(of).filter((cohort) => cohort.type === type);
    return Object.fromEntries(cohorts.map(({ idleAtLeastMs, pages }) => [idleAtLeastMs / periodMs, pages]));
  }
}

async function start(frames: ModelFrames): Promise<Rounds> {
  const tracker = new IdlePageTracker(surroundings(frames.interfaces));
  await tracker.start();
  return new Rounds(tracker, frames);
}

void t.test('cold pages get older look by look beside hot ones, each in its memcg', async (t) => {
  const frames = new ModelFrames();
  const hot = frames.add(memcg, 'anon', 100);
  frames.add(memcg, 'anon', 5000);
  frames.add(other, 'file', 30);
  const rounds = await start(frames);
  for (let round = 0; round < 6; round++) {
    for (const page of hot) page.touch();
    await rounds.look();
  }
  t.strictSame(rounds.pages(memcg, 'anon'), { 0: 100, 5: 5000 });
  t.strictSame(rounds.pages(other, 'file'), { 5: 30 });
  t.strictSame(rounds.tracker.cohorts(memcgOf('/c', 9n)), []);
});

void t.test('use through read(2) keeps page cache young although its mark stays', async (t) => {
  const frames = new ModelFrames();
  const hot = frames.add(memcg, 'file', 10);
  frames.add(memcg, 'file', 20);
  const rounds = await start(frames);
  for (let round = 0; round < 5; round++) {
    for (const page of hot) page.read();
    await rounds.look();
  }
  t.strictSame(rounds.pages(memcg, 'file'), { 0: 10, 4: 20 });
});

void t.test('tells page by page what is idle for how long, and what has been used since the look', async (t) => {
  const frames = new ModelFrames();
  const [, hot, woken] = frames.add(memcg, 'anon', 3);
  const rounds = await start(frames);
  for (let round = 0; round < 6; round++) {
    hot?.touch();
    await rounds.look();
  }
  const pfns = Float64Array.of(0, 1, 2);
  const idleAmong = (idleMs: number, atMs = rounds.atMs): Promise<Uint8Array> | undefined =>
    rounds.tracker.idleFrames(memcg, idleMs, atMs)?.among(pfns, 'anon');
  t.same(await idleAmong(5 * periodMs), Uint8Array.of(1, 0, 1));
  t.equal(idleAmong(6 * periodMs), undefined, 'longer than it has looked');
  t.same(await idleAmong(6 * periodMs, rounds.atMs + periodMs), Uint8Array.of(1, 0, 1), 'a period after the look');
  woken?.touch();
  t.same(await idleAmong(5 * periodMs), Uint8Array.of(1, 0, 0));
  t.equal(rounds.tracker.idleFrames(memcgOf('/b', 8n), 300 * periodMs, rounds.atMs), undefined);
});

void t.test('while a look goes on nothing is taken for a period older than it is', async (t) => {
  const frames = new ModelFrames();
  frames.add(memcg, 'anon', 1);
  const rounds = await start(frames);
  for (let round = 0; round < 4; round++) await rounds.look();
  // Ends after its first slice, in which the page is.
  await rounds.tracker.beforeAgings(rounds.atMs, AbortSignal.abort());
  const idleAmong = (idleMs: number): Promise<Uint8Array> | undefined =>
    rounds.tracker.idleFrames(memcg, idleMs, rounds.atMs)?.among(Float64Array.of(0), 'anon');
  t.same(await idleAmong(3 * periodMs), Uint8Array.of(1));
  t.equal(idleAmong(4 * periodMs), undefined);
});

void t.test('memcgs that are gone are forgotten, and all is when asked', async (t) => {
  const frames = new ModelFrames();
  frames.add(memcg, 'anon', 10);
  const rounds = await start(frames);
  await rounds.look();
  await rounds.tracker.observe([seenMemcg(other, {})]);
  t.strictSame(rounds.tracker.cohorts(memcg), []);
  await rounds.look();
  t.not(rounds.tracker.cohorts(memcg).length, 0);
  rounds.tracker.forget();
  t.strictSame(rounds.tracker.cohorts(memcg), []);
});

void t.test('naps between slices so that it stays within its budget', async (t) => {
  const frames = new ModelFrames();
  frames.add(memcg, 'anon', 10_000);
  let nowMs = 0;
  const around = surroundings(frames.interfaces, () => nowMs++);
  const tracker = new IdlePageTracker(around);
  await tracker.start();
  await tracker.beforeAgings(0, never());
  t.strictSame(around.naps, [49, 49, 49], '1 ms of work in 50 is 2 %');
});

void t.test('ends early when told to, and knows what it knew before', async (t) => {
  const frames = new ModelFrames();
  frames.add(memcg, 'anon', 10);
  const rounds = await start(frames);
  await rounds.look();
  await rounds.tracker.beforeAgings(9000, AbortSignal.abort());
  t.strictSame(rounds.pages(memcg, 'anon'), { 0: 10 });
});

void t.test('a look that fails halfway makes nothing older', async (t) => {
  const frames = new ModelFrames();
  frames.add(memcg, 'anon', 10);
  frames.pages.length = 10_000;
  const { pageFrames } = frames.interfaces;
  let fails = false;
  const read: typeof pageFrames.read = async (firstPfn, into) => {
    if (fails && firstPfn > 0) throw new Error('refused');
    return pageFrames.read(firstPfn, into);
  };
  const tracker = new IdlePageTracker(surroundings({ ...frames.interfaces, pageFrames: { ...pageFrames, read } }));
  await tracker.start();
  const rounds = new Rounds(tracker, frames);
  for (let round = 0; round < 3; round++) await rounds.look();
  fails = true;
  for (let times = 0; times < 3; times++) await t.rejects(tracker.beforeAgings(rounds.atMs, never()), /refused/);
  fails = false;
  await rounds.look();
  t.strictSame(rounds.pages(memcg, 'anon'), { 0: 10 });
});

void t.test('is refused with the reason where the kernel has no idle page tracking', async (t) => {
  const frames = new ModelFrames();
  const tracker = new IdlePageTracker(surroundings({ ...frames.interfaces, idlePages: noIdlePages }));
  await t.rejects(tracker.start(), { code: 'TRACKER_UNAVAILABLE', message: /no idle page tracking.*--tracker mglru/ });
});
