import t from 'tap';
import type { PageOutTarget } from '../../../src/engine/eviction.js';
import { knowsIdle, PageOut } from '../../../src/engine/page-out.js';
import { type ReclaimRequest, startRun } from '../../../src/engine/run.js';
import type { IdleCohort, IdleFrames } from '../../../src/engine/tracker.js';
import type { Kernel, MappedFrames } from '../../../src/kernel/kernel.js';
import { pageBytes, refused } from './world.js';

const memcg = { path: '/a', inode: 7n };
const periodMs = 1000;

/** Frames of a process from address 0 on, by how many periods they are idle: negative for page cache. */
function worldOf(
  idlePeriods: readonly number[],
  options: Partial<ReclaimRequest> & {
    readonly obstacle?: string;
    readonly refusedPid?: number;
    readonly usedAgainShare?: number;
    readonly writtenPages?: number;
  } = {},
) {
  const { obstacle, refusedPid, usedAgainShare = 0, writtenPages = 0, ...wish } = options;
  const asked: string[] = [];
  let sentPages = 0;
  const sent: Omit<PageOutTarget, 'ranges'>[] = [];
  const ranges: string[] = [];
  const there = new Set(idlePeriods.keys());
  const kernel = {
    pageBytes,
    memcgs: { tasks: async () => [...(refusedPid === undefined ? [] : [refusedPid]), 12] },
    pageOut: {
      obstacle: async () => obstacle,
      async *frames(pid: number): AsyncGenerator<MappedFrames> {
        if (pid === refusedPid) throw refused('EPERM', `Cannot see where the memory of process ${pid} is.`);
        yield { start: 0, pfns: Float64Array.from(idlePeriods, (_, pfn) => (there.has(pfn) ? pfn : -1)) };
      },
    },
  } as unknown as Pick<Kernel, 'pageOut' | 'memcgs' | 'pageBytes'>;
  const longestIdleMs = Math.max(...idlePeriods.map(Math.abs)) * periodMs;
  const framesIdleFor = (idleMs: number): IdleFrames => ({
    among: async (pfns, type) => {
      asked.push('looked at');
      return Uint8Array.from(pfns, (pfn) => {
        const periods = idlePeriods[pfn] ?? 0;
        return Number((type === 'file') === periods < 0 && Math.abs(periods) * periodMs >= idleMs);
      });
    },
  });
  const idleFrames = (_memcg: unknown, idleMs: number): IdleFrames | undefined =>
    idleMs > longestIdleMs ? undefined : framesIdleFor(idleMs);
  const request: ReclaimRequest = {
    memcg,
    agePeriods: 5,
    periodMs,
    limitBytes: Infinity,
    types: ['anon', 'file'],
    stepPages: 1024,
    ...wish,
  };
  const run = startRun(request, pageBytes, new AbortController().signal);
  const steps = {
    pageOut: async (_run: unknown, { ranges: wanted, ...target }: PageOutTarget) => {
      asked.push('sent');
      sent.push(target);
      ranges.push(wanted.map(({ start, end }) => `${start / pageBytes}-${end / pageBytes}`).join(' '));
      let pages = 0;
      for (const { start, end } of wanted)
        for (let at = start; at < end; at += pageBytes) if (there.delete(at / pageBytes)) pages++;
      sentPages += pages;
      return { sentPages: pages, refaultPages: sentPages * usedAgainShare };
    },
    refaults: async () => 0,
    writtenPages: async () => writtenPages,
    listed: async () => ({ id: '1', path: memcg.path, nodes: [], lookedAfter: asked.length }),
  };
  const clock = { nowMs: () => 0, sleep: async () => undefined };
  const pageOut = new PageOut(kernel, clock, steps, { idleFrames });
  return { run, ranges, sent, asked, go: () => pageOut.run(run) };
}

void t.test('sends out what is idle for long enough, neighbours in one range, anon first', async (t) => {
  const { go, ranges, sent } = worldOf([5, 9, 1, 7, -6, -2, -5]);
  await go();
  t.same(ranges, ['0-2 3-4', '4-5 6-7']);
  t.same(
    sent.map(({ pid, type, toDevice }) => ({ pid, type, toDevice })),
    [
      { pid: 12, type: 'anon', toDevice: false },
      { pid: 12, type: 'file', toDevice: false },
    ],
  );
});

void t.test('never more than asked, of both types together', async (t) => {
  const { go, ranges } = worldOf([9, 9, 9, -9, -9, -9], { limitBytes: 4 * pageBytes });
  await go();
  t.same(ranges, ['0-3', '3-4']);
});

void t.test('in steps, each looked at right before it goes', async (t) => {
  const { go, ranges, asked } = worldOf(Array<number>(300).fill(9), { stepPages: 128, types: ['anon'] });
  await go();
  t.same(ranges, ['0-128', '128-256', '256-300']);
  t.same(asked, ['looked at', 'sent', 'looked at', 'sent', 'looked at', 'sent']);
});

void t.test('stops when what went is used again at once, and says so', async (t) => {
  const { go, run, ranges } = worldOf(Array<number>(300).fill(9), {
    stepPages: 128,
    types: ['anon'],
    usedAgainShare: 0.9,
  });
  await go();
  t.same(ranges, ['0-128']);
  t.match(run.shortfalls, [/used again at once/]);
});

void t.test(
  'what is on its way to swap counts against what may be freed: the rest of the run may take what is written',
  async (t) => {
    const limitBytes = 100 * pageBytes;
    const { go, run } = worldOf(Array<number>(300).fill(9), { limitBytes, types: ['anon'], writtenPages: 30 });
    t.match(await go(), { pages: 100, before: { lookedAfter: 0 } }, 'sent and not freed');
    t.equal(run.leftPages, 30);
  },
);

void t.test(
  'what is as old as a swap device asks for goes there first, the rest where the kernel puts it',
  async (t) => {
    const { go, ranges, sent } = worldOf([5, 9, 6], { deviceIdleMs: 8 * periodMs, types: ['anon'] });
    await go();
    t.same(ranges, ['1-2', '0-1 2-3']);
    t.same(
      sent.map(({ toDevice }) => toDevice),
      [true, false],
    );
    const all = worldOf([5, 9, 6], { deviceIdleMs: 2 * periodMs, types: ['anon'] });
    await all.go();
    t.same(all.ranges, ['0-3'], 'all of it where all is old enough');
    const none = worldOf([5, 9, 6], { deviceIdleMs: 20 * periodMs, types: ['anon'] });
    await none.go();
    t.same(none.ranges, ['0-3'], 'none of it where nothing is');
    t.match(none.sent, [{ toDevice: false }]);
  },
);

void t.test('leaves to generations who asks for no age, or for less than they show', async (t) => {
  for (const request of [{ agePeriods: 0 }, { narrow: () => [] }]) {
    const { go, ranges } = worldOf([9, 9], request);
    await go();
    t.same(ranges, []);
  }
});

void t.test('says why nothing is sent out by address where that cannot be', async (t) => {
  const { go, run, ranges } = worldOf([9, 9], { obstacle: 'coldpgs has no CAP_SYS_NICE' });
  await go();
  t.same(ranges, []);
  t.match(run.shortfalls, [/second write.*CAP_SYS_NICE/]);
});

void t.test('goes on with the next process where one may not be looked at, and says so', async (t) => {
  const { go, run, ranges } = worldOf([9, 9], { types: ['anon'], refusedPid: 11 });
  await go();
  t.same(ranges, ['0-2']);
  t.match(run.shortfalls, [/^anon memory was not sent out by address: .*process 11/]);
});

void t.test('a memcg is worth a run when pages of it are known to be idle for long enough', async (t) => {
  const cohorts = (): IdleCohort[] => [{ type: 'anon', pages: 64, idleAtLeastMs: 5000, idleAtMostMs: 6000 }];
  const idleFrames = (): IdleFrames => ({ among: async (pfns) => new Uint8Array(pfns.length) });
  t.equal(knowsIdle({ cohorts, idleFrames }, memcg, 5000, 0), true);
  t.equal(knowsIdle({ cohorts, idleFrames }, memcg, 5001, 0), false);
  t.equal(knowsIdle({ cohorts, idleFrames: () => undefined }, memcg, 5000, 0), false, 'ages, but not of each page');
  t.equal(knowsIdle({ cohorts }, memcg, 5000, 0), false);
  const hardlyAny = (): IdleCohort[] => cohorts().map((cohort) => ({ ...cohort, pages: 63 }));
  t.equal(knowsIdle({ cohorts: hardlyAny, idleFrames }, memcg, 5000, 0), false);
});
