import t from 'tap';
import { KernelFlagsWitness } from '../../../src/engine/read-witness.js';
import type { IdleCohort } from '../../../src/engine/tracker.js';
import { memcgOf, ModelFrames, type ModelPage, seenMemcg } from './frames-kernel.js';
import { never } from './world.js';

const periodMs = 1000;
const memcg = memcgOf('/a', 7n);

class Rounds {
  readonly frames = new ModelFrames();
  readonly witness: KernelFlagsWitness;
  atMs = 0;
  agings = 0;

  constructor(nowMs = () => 0) {
    const clock = { nowMs, sleep: async () => undefined };
    const { pageFrames } = this.frames.interfaces;
    this.witness = new KernelFlagsWitness({ pageFrames, clock, periodMs: () => periodMs, cpuPercent: 1 });
  }

  /** So many rounds: what is hot is read, the witness looks, an aging follows. */
  async pass(rounds: number, hot: readonly ModelPage[] = [], { aging = true } = {}): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      for (const page of hot) page.read();
      this.atMs += periodMs;
      await this.witness.observe(
        [seenMemcg(memcg, { file: this.frames.pages.length }, this.agings)],
        this.atMs,
        never(),
      );
      if (!aging) continue;
      this.frames.age();
      this.agings++;
    }
  }

  reads(): Record<string, number> {
    return byPeriods(this.witness.readPageCache(memcg, this.frames.pages.length)?.byRead ?? []);
  }

  arrivals(): Record<string, number> {
    return byPeriods(this.witness.readPageCache(memcg, this.frames.pages.length)?.byArrival ?? []);
  }
}

function byPeriods(cohorts: readonly IdleCohort[]): Record<string, number> {
  return Object.fromEntries(cohorts.map(({ idleAtLeastMs, pages }) => [idleAtLeastMs / periodMs, Math.round(pages)]));
}

async function started(): Promise<Rounds & { hot: ModelPage[] }> {
  const rounds = new Rounds();
  const hot = rounds.frames.add(memcg, 'file', 256);
  rounds.frames.add(memcg, 'file', 512);
  await rounds.witness.start();
  return Object.assign(rounds, { hot });
}

void t.test('sees which page cache is in use through read(2), and nothing of what is not', async (t) => {
  const rounds = await started();
  await rounds.pass(6, rounds.hot);
  t.strictSame(rounds.reads(), { 0: 256 });
});

void t.test('tells how long ago the last read was', async (t) => {
  const rounds = await started();
  await rounds.pass(3, rounds.hot);
  await rounds.pass(4);
  t.strictSame(rounds.reads(), { 4: 256 });
  await rounds.pass(1, rounds.hot);
  t.strictSame(rounds.reads(), { 0: 256 });
});

void t.test('a read by which a page came in is none of its use', async (t) => {
  const rounds = await started();
  await rounds.pass(2);
  const fresh = rounds.frames.add(memcg, 'file', 256);
  rounds.witness.forget();
  await rounds.witness.start();
  await rounds.pass(5);
  t.strictSame(rounds.reads(), {});
  for (const page of fresh) page.read();
  await rounds.pass(3);
  t.strictSame(rounds.reads(), { 2: 256 });
});

void t.test('knows when page cache came in that was read again', async (t) => {
  const rounds = await started();
  await rounds.pass(2);
  const place = rounds.frames.pages.splice(0, 256);
  rounds.frames.pages.unshift(...place.map(() => undefined));
  await rounds.pass(1);
  rounds.frames.pages.splice(0, 256, ...rounds.hot);
  await rounds.pass(4);
  await rounds.pass(1, rounds.hot);
  t.strictSame(rounds.reads(), { 0: 256 });
  t.strictSame(rounds.arrivals(), { 4: 256 });
});

void t.test('a page that was mapped and is not any more has not come in just now', async (t) => {
  const rounds = new Rounds();
  await rounds.witness.start();
  await rounds.pass(1);
  const pages = rounds.frames.add(memcg, 'file', 512);
  for (const page of pages.slice(0, 256)) page.mapped = true;
  await rounds.pass(1);
  for (const page of pages) page.mapped = false;
  await rounds.pass(1);
  const losses = await rounds.witness.watchReads(memcg, 5 * periodMs);
  t.equal(losses?.youngFrames, 256, 'only what came in unmapped');
});

void t.test(
  'a huge folio that nobody has read or written is not new: khugepaged makes them of what was there',
  async (t) => {
    const rounds = new Rounds();
    await rounds.witness.start();
    await rounds.pass(1);
    const pages = rounds.frames.add(memcg, 'file', 512);
    for (const page of pages) page.huge = true;
    for (const page of pages.slice(0, 128)) page.dirty = true;
    await rounds.pass(1, pages.slice(128, 256));
    const losses = await rounds.witness.watchReads(memcg, 5 * periodMs);
    t.equal(losses?.youngFrames, 256, 'only what was written or read');
  },
);

void t.test('one read after a long time is seen, and so is how long ago it was', async (t) => {
  const rounds = new Rounds();
  await rounds.witness.start();
  await rounds.pass(2);
  const pages = rounds.frames.add(memcg, 'file', 512);
  await rounds.pass(1, pages);
  await rounds.pass(19);
  await rounds.pass(1, pages);
  await rounds.pass(6);
  t.strictSame(rounds.reads(), { 6: 512 });
  t.strictSame(rounds.arrivals(), { 26: 512 });
});

void t.test('between agings a bit that stays set makes nothing older', async (t) => {
  const rounds = await started();
  await rounds.pass(4, rounds.hot);
  await rounds.pass(1, rounds.hot, { aging: false });
  await rounds.pass(1, [], { aging: false });
  t.strictSame(rounds.reads(), { 0: 256 });
});

void t.test('a sample that grows does not make old what its new frames have not seen in use yet', async (t) => {
  let nowMs = 0;
  let stepMs = 1000;
  const rounds = new Rounds(() => (nowMs += stepMs));
  const pages = rounds.frames.add(memcg, 'file', 32_768);
  await rounds.witness.start();
  stepMs = 0; // Dear when it was tried, cheap since: the sample grows from a quarter of all frames to all of them.
  await rounds.pass(2, pages);
  for (let round = 0; round < 20; round++) {
    await rounds.pass(1, pages);
    t.strictSame(rounds.reads(), { 0: pages.length });
    const losses = await rounds.witness.watchReads(memcg, 2 * periodMs);
    t.equal(losses?.youngShare, 1);
  }
  t.equal((await rounds.witness.watchReads(memcg, 2 * periodMs))?.youngFrames, pages.length);
});

void t.test(
  'the first look takes no more frames than its budget has time for, but enough to say something',
  async (t) => {
    const budgetMs = (periodMs * 5) / 100;
    for (const [frameMs, frames] of [
      [0, 65_536],
      [budgetMs / 32_768, 32_768],
      [1, 8192],
    ] as const) {
      let nowMs = 0;
      let told = 0;
      const pageFrames = {
        obstacle: async () => undefined,
        count: async () => 2 ** 20,
        read: async (_first: number, into: { readonly capacity: number }) => {
          nowMs += into.capacity * frameMs;
          told += into.capacity;
          return into.capacity;
        },
      };
      const clock = { nowMs: () => nowMs, sleep: async () => undefined };
      const witness = new KernelFlagsWitness({ pageFrames, clock, periodMs: () => periodMs, cpuPercent: 5 });
      await witness.start();
      told = 0;
      await witness.observe([seenMemcg(memcg, { file: 1 }, 0)], periodMs, never());
      t.equal(told, frames);
    }
  },
);

void t.test('is refused with the reason where flags cannot be read', async (t) => {
  const { pageFrames } = new ModelFrames().interfaces;
  const witness = new KernelFlagsWitness({
    pageFrames: { ...pageFrames, obstacle: async () => 'this kernel has no /proc/kpageflags' },
    clock: { nowMs: () => 0, sleep: async () => undefined },
    periodMs: () => periodMs,
    cpuPercent: 1,
  });
  await t.rejects(witness.start(), { code: 'TRACKER_UNAVAILABLE', message: /no \/proc\/kpageflags/ });
});
