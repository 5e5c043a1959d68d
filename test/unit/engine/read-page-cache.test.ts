import fc from 'fast-check';
import t from 'tap';
import { Looks } from '../../../src/engine/looks.js';
import { ReadTally, withReads } from '../../../src/engine/read-page-cache.js';
import type { IdleCohort } from '../../../src/engine/tracker.js';

function file(pages: number, idleAtLeastMs: number, idleAtMostMs = idleAtLeastMs + 1000): IdleCohort {
  return { type: 'file', pages, idleAtLeastMs, idleAtMostMs };
}

const total = (cohorts: readonly IdleCohort[]): number => cohorts.reduce((sum, { pages }) => sum + pages, 0);
const pagesAt = (cohorts: readonly IdleCohort[], idleMs: number): number =>
  total(cohorts.filter(({ idleAtLeastMs }) => idleAtLeastMs === idleMs));

void t.test('what is read all the time comes out of the oldest cohort when nobody knows when it came', async (t) => {
  const cohorts = withReads([file(300, 9000, Infinity), file(50, 0)], {
    byRead: [file(200, 0)],
    byArrival: [file(200, 8000, Infinity)],
  });
  t.equal(pagesAt(cohorts, 9000), 100);
  t.equal(pagesAt(cohorts, 0), 250);
});

void t.test('what came in later leaves the old pages alone', async (t) => {
  const cohorts = withReads([file(100, 60_000), file(100, 9000)], {
    byRead: [file(80, 1000)],
    byArrival: [file(80, 9500, 10_500)],
  });
  t.equal(pagesAt(cohorts, 60_000), 100);
  t.equal(pagesAt(cohorts, 9000), 20);
  t.equal(pagesAt(cohorts, 1000), 80);
});

void t.test('moves no more than the generations have', async (t) => {
  const cohorts = withReads([file(10, 5000)], { byRead: [file(30, 0), file(10, 1000)], byArrival: [file(40, 5000)] });
  t.equal(total(cohorts), 10);
  t.equal(pagesAt(cohorts, 0), 8);
  t.equal(pagesAt(cohorts, 1000), 2);
});

const anyCohort = fc
  .tuple(fc.nat({ max: 100_000 }), fc.nat({ max: 50_000 }), fc.nat({ max: 5000 }))
  .map(([pages, idleMs, spanMs]) => file(pages, idleMs, idleMs + spanMs));

void t.test('keeps the total, and nothing gets negative', async () => {
  fc.assert(
    fc.property(fc.array(anyCohort), fc.array(anyCohort), fc.array(anyCohort), (cohorts, byRead, byArrival) => {
      const corrected = withReads(cohorts, { byRead, byArrival });
      return corrected.every(({ pages }) => pages > 0) && (total(byRead) === 0 || total(corrected) === total(cohorts));
    }),
  );
});

void t.test('a sample stands for the whole of the page cache', async (t) => {
  const looks = new Looks();
  for (const atMs of [0, 1000, 2000, 3000]) looks.add(atMs);
  const tally = new ReadTally();
  for (let index = 0; index < 60; index++) tally.addOther();
  for (let index = 0; index < 40; index++) tally.addRead(1, 2);
  const reads = tally.inPages(1000, looks);
  t.equal(Math.round(total(reads?.byRead ?? [])), 400);
  t.strictSame(
    reads?.byRead.map(({ idleAtLeastMs, idleAtMostMs }) => [idleAtLeastMs, idleAtMostMs]),
    [[1000, 2000]],
  );
  t.strictSame(
    reads?.byArrival.map(({ idleAtLeastMs }) => idleAtLeastMs),
    [2000],
  );
});

void t.test('too small a sample says nothing', async (t) => {
  const tally = new ReadTally();
  for (let index = 0; index < 20; index++) tally.addRead(0, 1);
  t.equal(tally.inPages(1000, new Looks()), undefined);
});
