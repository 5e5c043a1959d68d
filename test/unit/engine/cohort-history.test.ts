import fc from 'fast-check';
import t from 'tap';
import {
  beginHistory,
  type CohortHistory,
  cohortsKept,
  continueHistory,
  continues,
  pagesOf,
  withUsed,
} from '../../../src/engine/cohort-history.js';
import type { Generation } from '../../../src/kernel/lru-gen.js';

/** Generations numbered from `firstSeq`, the oldest first, as [pages, age in seconds]; both types have the same pages. */
function listed(firstSeq: number, ...rows: readonly (readonly [pages: number, ageSeconds: number])[]): Generation[] {
  return rows.map(([pages, ageSeconds], index) => ({
    seq: BigInt(firstSeq + index),
    ageMs: ageSeconds * 1000,
    anonPages: pages,
    filePages: pages,
  }));
}

/** The cohorts as `pages: from..to` in seconds, by generation. */
function shown({ generations }: CohortHistory): string[] {
  return generations.map((cohorts) =>
    cohorts.map(({ pages, fromMs, toMs }) => `${pages}: ${fromMs / 1000}..${toMs / 1000}`).join(', '),
  );
}

/** At 100 s: 10 pages a generation, with agings at 40, 60 and 80 s. */
const first = listed(4, [10, 100], [10, 60], [10, 40], [10, 20]);

void t.test('at a first look generation borders are what is known of anonymous pages', async (t) => {
  t.same(shown(beginHistory(first, 'anon', 100_000)), ['10: -Infinity..40', '10: 40..60', '10: 60..80', '10: 80..100']);
});

void t.test('and page cache is young, but where an aging saw its use: it may have come just now', async (t) => {
  t.same(shown(beginHistory(first, 'file', 100_000)), [
    '10: -Infinity..100',
    '10: -Infinity..100',
    '10: 60..80',
    '10: 80..100',
  ]);
});

void t.test('an aging folds the oldest into the next, where both keep their history', async (t) => {
  const before = beginHistory(first, 'anon', 100_000);
  const after = continueHistory(before, listed(5, [20, 65], [10, 45], [10, 25], [0, 5]), 'anon', 105_000);
  t.same(shown(after), ['10: -Infinity..40, 10: 40..60', '10: 60..80', '10: 80..100', '']);
});

void t.test(
  'what an aging finds in use joins the youngest of then; those that were idle the shortest go first',
  async (t) => {
    const before = beginHistory(first, 'anon', 100_000);
    const after = continueHistory(before, listed(5, [8, 65], [10, 45], [22, 25], [0, 5]), 'anon', 105_000);
    t.same(shown(after), ['8: -Infinity..40', '10: 60..80', '10: 80..100, 12: 80..100', '']);
  },
);

void t.test('what left the memcg goes from all cohorts alike', async (t) => {
  const before = continueHistory(
    beginHistory(first, 'anon', 100_000),
    listed(5, [20, 65], [10, 45], [10, 25], [0, 5]),
    'anon',
    105_000,
  );
  const after = continueHistory(before, listed(5, [10, 66], [10, 46], [10, 26], [0, 6]), 'anon', 106_000);
  t.same(shown(after)[0], '5: -Infinity..40, 5: 40..60');
});

void t.test('page cache that comes into an old generation is as young as the time since the look before', async (t) => {
  const before = beginHistory(first, 'file', 100_000);
  const after = continueHistory(before, listed(4, [10, 105], [30, 65], [10, 45], [10, 25]), 'file', 105_000);
  t.same(shown(after)[1], '10: -Infinity..100, 20: 100..105');
});

void t.test('where a type’s oldest generation was emptied into the next, its history goes along', async (t) => {
  const before = beginHistory(first, 'anon', 100_000);
  const after = continueHistory(before, listed(4, [0, 105], [20, 65], [10, 45], [10, 25]), 'anon', 105_000);
  t.same(shown(after).slice(0, 2), ['', '10: -Infinity..40, 10: 40..60']);
});

void t.test(
  'several agings between two looks: all that was seen is in the oldest, the rest has its borders',
  async (t) => {
    const before = beginHistory(first, 'anon', 100_000);
    const after = continueHistory(before, listed(9, [40, 40], [3, 30], [2, 20], [1, 10]), 'anon', 200_000);
    t.equal(pagesOf(after.generations[0] ?? []), 40);
    t.same(shown(after).slice(1), ['3: 170..180', '2: 180..190', '1: 190..200']);
  },
);

void t.test(
  'a memcg that rested until it was used again was used after that, not since its youngest generation',
  async (t) => {
    const before = beginHistory(listed(4, [40, 100], [0, 60], [0, 40], [0, 20]), 'anon', 100_000);
    const rested = continueHistory(before, listed(4, [40, 900], [0, 860], [0, 840], [0, 820]), 'anon', 900_000);
    const after = continueHistory(rested, listed(5, [30, 865], [0, 845], [10, 825], [0, 5]), 'anon', 905_000, 890_000);
    t.same(shown(after)[2], '10: 890..900');
  },
);

void t.test('a listing goes on from another only with the same births, and whole', async (t) => {
  const history = beginHistory(first, 'anon', 100_000);
  t.ok(continues(history, listed(5, [0, 65], [0, 45], [0, 25], [0, 5]), 105_000));
  t.ok(continues(history, listed(9, [0, 65], [0, 45], [0, 25], [0, 5]), 305_000), 'none of them is left');
  t.notOk(continues(history, listed(4, [10, 105], [10, 65], [10, 45]), 105_000), 'the last line is missing');
  t.notOk(continues(history, listed(5, [0, 8], [0, 7], [0, 6], [0, 5]), 105_000), 'another memcg’s');
  t.notOk(continues(history, [], 105_000));
});

void t.test(
  'what a witness saw in use is taken from those that were idle the shortest, and becomes young',
  async (t) => {
    const used = withUsed(beginHistory(first, 'anon', 100_000), 15, 100_000, 105_000);
    t.same(shown(used).slice(0, 2), ['5: -Infinity..40, 5: 100..105', '10: 100..105']);
  },
);

/** Looks at a memcg whose pages do what they like: seconds since the look before, agings since, and pages by generation. */
const anyLook = fc.record({
  seconds: fc.integer({ min: 0, max: 500 }),
  agings: fc.integer({ min: 0, max: 6 }),
  pages: fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 100_000 })), { minLength: 4, maxLength: 4 }),
});

/** The histories at each of the looks, with what was listed. */
function watched(
  looks: readonly { seconds: number; agings: number; pages: readonly number[] }[],
  type: 'anon' | 'file',
) {
  let atMs = 1_000_000;
  let births = [0, 0, 0, 0];
  let firstSeq = 0;
  let history: CohortHistory | undefined;
  return looks.map(({ seconds, agings, pages }) => {
    for (let aging = 1; aging <= agings; aging++) {
      births = [...births.slice(1), atMs + (seconds * 1000 * aging) / (agings + 1)];
      firstSeq++;
    }
    atMs += seconds * 1000;
    const generations = births.map((bornMs, index) => ({
      seq: BigInt(firstSeq + index),
      ageMs: Math.round(atMs - bornMs),
      anonPages: pages[index] ?? 0,
      filePages: pages[index] ?? 0,
    }));
    const before = history;
    history = before ? continueHistory(before, generations, type, atMs) : beginHistory(generations, type, atMs);
    return { before, history, generations, atMs };
  });
}

void t.test(
  'whatever happens: every generation has exactly the pages that are listed, in at most so many cohorts',
  async (t) => {
    fc.assert(
      fc.property(
        fc.array(anyLook, { maxLength: 60 }),
        fc.constantFrom('anon' as const, 'file' as const),
        (looks, type) => {
          return watched(looks, type).every(({ history, generations }) =>
            history.generations.every(
              (cohorts, index) => pagesOf(cohorts) === generations[index]?.filePages && cohorts.length <= cohortsKept,
            ),
          );
        },
      ),
    );
    t.pass();
  },
);
