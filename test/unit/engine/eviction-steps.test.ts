import t from 'tap';
import { BorrowedSettings } from '../../../src/engine/borrowed-settings.js';
import { Eviction } from '../../../src/engine/eviction.js';
import { EvictionSteps } from '../../../src/engine/eviction-steps.js';
import { Ledger } from '../../../src/engine/ledger.js';
import { startRun } from '../../../src/engine/run.js';
import { openVein } from '../../../src/engine/vein.js';
import type { Clock } from '../../../src/kernel/clock.js';
import type { EvictCommand, Kernel } from '../../../src/kernel/kernel.js';
import type { AddressRange } from '../../../src/kernel/pagemap.js';
import type { LruGenMemcg } from '../../../src/kernel/lru-gen.js';
import type { MemoryStat } from '../../../src/kernel/memory-stat.js';
import { silentLog } from '../../../src/log.js';

const pageBytes = 4096;
const memcg = { path: '/test', inode: 7n };

/** A kernel whose swap device takes its time: what a command sends there is on its way until the clock moves, then clean and back in the list. */
function slowSwap({ anonOnlyEviction, anonPages }: { anonOnlyEviction: boolean; anonPages: number }) {
  const sendToSwap = (pages: number): void => {
    state.listed -= pages;
    state.mapped -= pages;
    state.inFlight += pages;
  };
  const state = {
    listed: anonPages,
    mapped: anonPages,
    clean: 0,
    inFlight: 0,
    file: 10_000,
    stolen: 0,
    onPageOut: sendToSwap,
  };
  const commands: EvictCommand[] = [];
  const clock: Clock = {
    nowMs: () => 0,
    sleep: async () => {
      state.listed += state.inFlight;
      state.clean += state.inFlight;
      state.inFlight = 0;
    },
  };
  const free = (pages: number): void => {
    state.stolen += pages;
  };
  const evict = async (command: EvictCommand): Promise<void> => {
    commands.push(command);
    const freed = Math.min(state.clean, command.pages);
    state.clean -= freed;
    state.listed -= freed;
    free(freed);
    if (freed === command.pages) return;
    state.inFlight += state.listed - state.clean;
    state.listed = state.clean;
    if (anonOnlyEviction) return;
    const alongPages = Math.ceil((command.pages - freed) / 64) * 64;
    state.file -= alongPages;
    free(alongPages);
  };
  const pageOut = async (_pid: number, ranges: readonly AddressRange[]): Promise<number> => {
    const pages = ranges.reduce((sum, { start, end }) => sum + (end - start) / pageBytes, 0);
    state.onPageOut(pages);
    return pages;
  };
  const listed = (): LruGenMemcg => ({
    id: '2',
    path: '/test',
    nodes: [
      {
        node: 0,
        generations: [
          { seq: 4n, ageMs: 9000, anonPages: state.listed, filePages: state.file },
          { seq: 5n, ageMs: 6000, anonPages: 0, filePages: 0 },
          { seq: 6n, ageMs: 3000, anonPages: 0, filePages: 0 },
        ],
      },
    ],
  });
  const stat = async (): Promise<Partial<MemoryStat>> => ({
    stealPages: state.stolen,
    refaultAnonPages: 0,
    fileBytes: state.file * pageBytes,
    writebackBytes: state.inFlight * pageBytes,
    swapCachedBytes: (state.clean + state.inFlight) * pageBytes,
  });
  const kernel = {
    pageBytes,
    memcgs: { at: () => memcg },
    memory: { stat },
    lruGen: { evict, readOne: async () => listed() },
    pageOut: { pageOut },
  } as unknown as Kernel;
  const ledger = new Ledger();
  const noLoans = new BorrowedSettings(kernel.settings, { write: () => undefined });
  const eviction = new Eviction(kernel, clock, noLoans, anonOnlyEviction);
  const steps = new EvictionSteps(kernel, clock, eviction, ledger, anonOnlyEviction, silentLog);
  const cold = { id: '2', node: 0, type: 'anon' as const, newestSeq: 4n, pages: anonPages };
  const vein = openVein(cold, listed());
  const request = {
    memcg,
    agePeriods: 1,
    periodMs: 1000,
    limitBytes: Infinity,
    types: ['anon' as const],
    stepPages: 4096,
  };
  const run = startRun(request, pageBytes, new AbortController().signal);
  return { state, commands, ledger, run, steps, step: (pages: number) => steps.step(run, vein, pages), vein };
}

void t.test('a step waits for its writes to swap and then frees what they left clean', async (t) => {
  const { step, commands, state } = slowSwap({ anonOnlyEviction: true, anonPages: 3000 });
  const { freedPages } = await step(4096);
  t.equal(freedPages, 3000);
  t.same(
    commands.map(({ pages }) => pages),
    [3000, 3000],
  );
  t.match(state, { inFlight: 0, clean: 0, file: 10_000 });
});

void t.test('where anon cannot be evicted alone', async (t) => {
  await t.test('a short list is asked for one batch, then for exactly what is written', async (t) => {
    const { step, commands } = slowSwap({ anonOnlyEviction: false, anonPages: 3000 });
    await step(4096);
    t.same(
      commands.map(({ pages }) => pages),
      [64, 3000],
    );
  });

  await t.test('of a long list one batch goes along as page cache, however slow swap is', async (t) => {
    const { step, commands, state } = slowSwap({ anonOnlyEviction: false, anonPages: 30_000 });
    const { freedPages } = await step(65_536);
    t.equal(freedPages, 30_000);
    t.same(
      commands.map(({ pages }) => pages),
      [64, 30_000],
    );
    t.equal(10_000 - state.file, 64);
  });

  await t.test('page cache that went along is booked as page cache', async (t) => {
    const { step, ledger } = slowSwap({ anonOnlyEviction: false, anonPages: 3000 });
    await step(4096);
    t.match(ledger.own(memcg), { 'pagecache dropped': 64 * pageBytes, 'anon swap out': 3000 * pageBytes });
  });

  await t.test('nothing is asked of a list that is shorter than a batch', async (t) => {
    const { step, commands } = slowSwap({ anonOnlyEviction: false, anonPages: 63 });
    t.equal((await step(4096)).freedPages, 0);
    t.same(commands, []);
  });
});

void t.test('what is sent out by address is freed, and booked, by the next step', async (t) => {
  const { steps, run, state, ledger, step } = slowSwap({ anonOnlyEviction: true, anonPages: 1000 });
  const ranges = [
    { start: 0, end: 600 * pageBytes },
    { start: 1000 * pageBytes, end: 1400 * pageBytes },
  ];
  t.match(await steps.pageOut(run, { pid: 12, ranges, type: 'anon', toDevice: false }), { sentPages: 1000 });
  t.equal(await steps.writtenPages(run), 1000);
  t.match(state, { clean: 1000, inFlight: 0 }, 'waited for');
  t.equal(run.freedPages, 0);
  await step(4096);
  t.match(state, { clean: 0, listed: 0 });
  t.equal(run.freedPages, 1000);
  t.match(ledger.own(memcg), { 'anon swap out': 1000 * pageBytes });
});

void t.test('page cache that stays in memory, as what is dirty does, is not booked', async (t) => {
  const { steps, run, state, ledger } = slowSwap({ anonOnlyEviction: true, anonPages: 0 });
  const kept = 300;
  state.onPageOut = (pages) => void (state.file -= pages - kept);
  const ranges = [{ start: 0, end: 1000 * pageBytes }];
  t.match(await steps.pageOut(run, { pid: 12, ranges, type: 'file', toDevice: false }), { sentPages: 1000 });
  t.equal(run.freedPages, 700);
  t.match(ledger.own(memcg), { 'pagecache dropped': 700 * pageBytes });
});

void t.test('a run that its guard ends sends nothing out by address', async (t) => {
  const { steps, run, state } = slowSwap({ anonOnlyEviction: true, anonPages: 3000 });
  const guarded = { ...run, request: { ...run.request, guard: async () => 'pressure' } };
  const ranges = [{ start: 0, end: pageBytes }];
  t.match(await steps.pageOut(guarded, { pid: 12, ranges, type: 'anon', toDevice: false }), { sentPages: 0 });
  t.equal(state.mapped, 3000);
  t.equal(guarded.stoppedBy, 'pressure');
});
