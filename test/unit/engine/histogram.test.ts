import fc from 'fast-check';
import t from 'tap';
import {
  addHistogram,
  agePeriodsOf,
  type Buckets,
  cappedHistogram,
  columnOf,
  defaultBuckets,
  type Footprint,
  type Histogram,
  histogramOf,
  idleRows,
  scannedRows,
  withoutOldest,
} from '../../../src/engine/histogram.js';
import type { IdleCohort } from '../../../src/engine/tracker.js';

const pageBytes = 4096;
const units = { periodMs: 1000, pageBytes };

/** Pages last used between so many periods ago. */
function cohort(type: 'anon' | 'file', pages: number, atLeast: number, atMost = atLeast): IdleCohort {
  return { type, pages, idleAtLeastMs: atLeast * 1000, idleAtMostMs: atMost * 1000 };
}

const nothing: Footprint = {
  anonBytes: 0,
  fileBytes: 0,
  dirtyBytes: 0,
  unevictableAnonBytes: 0,
  unevictableFileBytes: 0,
  slabBytes: 0,
};

/** A row in pages. */
function row(histogram: Histogram | undefined, name: (typeof idleRows)[number], columns: number): number[] {
  const from = idleRows.indexOf(name) * columns;
  return [...(histogram ?? new Float64Array(idleRows.length * columns)).slice(from, from + columns)].map(
    (bytes) => bytes / pageBytes,
  );
}

void t.test('the age of a cohort is the middle of what is possible, or the side that is known', async (t) => {
  t.equal(agePeriodsOf(cohort('anon', 1, 0, 9), 1000), 0, 'in use when last seen');
  t.equal(agePeriodsOf(cohort('anon', 1, 1, 2), 1000), 1);
  t.equal(agePeriodsOf(cohort('anon', 1, 0.99, 2.01), 1000), 1, 'agings are not punctual');
  t.equal(agePeriodsOf(cohort('anon', 1, 4, 8), 1000), 6);
  t.equal(agePeriodsOf(cohort('anon', 1, 4, Infinity), 1000), 4);
  t.equal(agePeriodsOf(cohort('anon', 1, 300, 400), 1000), 255, 'no age is larger');
});

void t.test('a column takes ages from its bound up to the next one', async (t) => {
  const columns = [0, 1, 2, 4, 5, 14, 15, 239, 240, 255].map((age) => columnOf(age, defaultBuckets));
  t.same(columns, [-1, 0, 1, 1, 2, 2, 3, 6, 7, 7]);
  t.equal(columnOf(9, [10]), -1);
});

void t.test('page cache is inactive, and dirty where it was used last', async (t) => {
  const cohorts = [cohort('file', 100, 3), cohort('file', 10, 0), cohort('file', 40, 1)];
  const histogram = histogramOf(cohorts, 0, { ...nothing, dirtyBytes: 30 * pageBytes }, [1, 3], units);
  t.same(row(histogram, 'dfei', 2), [20, 0], 'ten of the dirty pages are of age 0');
  t.same(row(histogram, 'cfei', 2), [20, 100]);
});

void t.test('anonymous pages are active as far as the kernel says so: those used last', async (t) => {
  const histogram = histogramOf([cohort('anon', 100, 3), cohort('anon', 40, 1)], 60, undefined, [1, 3], units);
  t.same(row(histogram, 'csea', 2), [40, 20]);
  t.same(row(histogram, 'csei', 2), [0, 80]);
});

void t.test('what has no age that anybody knows stands in the first column', async (t) => {
  const footprint = {
    ...nothing,
    unevictableAnonBytes: 3 * pageBytes,
    unevictableFileBytes: 4 * pageBytes,
    slabBytes: 5.5 * pageBytes,
  };
  const histogram = histogramOf([], 0, footprint, [2, 9], units);
  t.same(row(histogram, 'csui', 2), [3, 0]);
  t.same(row(histogram, 'cfui', 2), [4, 0]);
  t.same(row(histogram, 'slab', 2), [5, 0], 'whole pages');
});

void t.test('where all is zero, or accounting is off, there is none', async (t) => {
  t.equal(histogramOf([cohort('anon', 5, 0)], 5, nothing, [1, 3], units), undefined);
  t.equal(histogramOf([cohort('anon', 5, 9)], 0, nothing, [], units), undefined);
});

void t.test(
  'a child’s columns go to the first of the parent whose bound is not below theirs, else to the last',
  async (t) => {
    const child = histogramOf(
      [cohort('file', 8, 5), cohort('file', 4, 10), cohort('file', 2, 200)],
      0,
      nothing,
      [5, 10, 200],
      units,
    );
    const parent = new Float64Array(idleRows.length * 4);
    addHistogram(parent, [1, 5, 15, 30], child ?? parent, [5, 10, 200]);
    t.same(row(parent, 'cfei', 4), [0, 8, 4, 2]);
  },
);

void t.test('file rows and swap-backed rows are cut to what the memcg has, each for itself', async (t) => {
  const histogram = histogramOf(
    [cohort('file', 100, 1), cohort('file', 100, 5), cohort('anon', 50, 5)],
    0,
    nothing,
    [1, 5],
    units,
  );
  const capped = cappedHistogram(
    histogram ?? new Float64Array(),
    2,
    { fileBytes: 100 * pageBytes, anonBytes: 50 * pageBytes },
    pageBytes,
  );
  t.same(row(capped, 'cfei', 2), [50, 50]);
  t.same(row(capped, 'csei', 2), [0, 50]);
  const gone = cappedHistogram(histogram ?? new Float64Array(), 2, { fileBytes: 0, anonBytes: 0 }, pageBytes);
  t.ok(gone.every((bytes) => bytes === 0));
});

void t.test('what was reclaimed is taken off the oldest columns', async (t) => {
  const histogram = histogramOf(
    [cohort('file', 100, 1), cohort('file', 100, 5), cohort('anon', 50, 5)],
    0,
    nothing,
    [1, 5],
    units,
  );
  const rest = withoutOldest(histogram ?? new Float64Array(), 2, ['cfei'], 130 * pageBytes);
  t.same(row(rest, 'cfei', 2), [70, 0]);
  t.same(row(rest, 'csei', 2), [0, 50]);
});

void t.test('what is not scanned shows zeros', async (t) => {
  const histogram =
    histogramOf([cohort('file', 9, 1)], 0, { ...nothing, slabBytes: pageBytes }, [1], units) ?? new Float64Array();
  t.same(
    [row(scannedRows(histogram, 1, true, false), 'slab', 1), row(scannedRows(histogram, 1, true, false), 'cfei', 1)],
    [[0], [9]],
  );
  t.same(
    [row(scannedRows(histogram, 1, false, true), 'slab', 1), row(scannedRows(histogram, 1, false, true), 'cfei', 1)],
    [[1], [0]],
  );
});

const anyBuckets = fc
  .uniqueArray(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 8 })
  .map((buckets): Buckets => buckets.sort((one, other) => one - other));

const anyCohort: fc.Arbitrary<IdleCohort> = fc.record({
  type: fc.constantFrom('anon' as const, 'file' as const),
  pages: fc.nat(1_000_000),
  idleAtLeastMs: fc.nat(400_000),
  idleAtMostMs: fc.oneof(fc.constant(Infinity), fc.integer({ min: 400_000, max: 900_000 })),
});

const anyFootprint: fc.Arbitrary<Footprint> = fc.record({
  anonBytes: fc.nat(),
  fileBytes: fc.nat(),
  dirtyBytes: fc.nat(),
  unevictableAnonBytes: fc.nat(),
  unevictableFileBytes: fc.nat(),
  slabBytes: fc.nat(),
});

function sum(histogram: Histogram, columns: number, file: boolean): number {
  let bytes = 0;
  idleRows.forEach((name, index) => {
    if (name === 'slab' || (name[1] === 'f') !== file) return;
    for (let column = 0; column < columns; column++) bytes += histogram[index * columns + column] ?? 0;
  });
  return bytes;
}

void t.test(
  'whatever the ages: no page is counted twice, none is lost that is as old as the first bucket',
  async (t) => {
    fc.assert(
      fc.property(
        fc.array(anyCohort, { maxLength: 30 }),
        fc.nat(1_000_000),
        fc.nat(),
        anyBuckets,
        (cohorts, active, dirtyBytes, buckets) => {
          const histogram = histogramOf(cohorts, active, { ...nothing, dirtyBytes }, buckets, units);
          return (['anon', 'file'] as const).every((type) => {
            const counted = cohorts.filter((one) => one.type === type && agePeriodsOf(one, 1000) >= (buckets[0] ?? 0));
            const pages = counted.reduce((total, one) => total + one.pages, 0);
            return (histogram ? sum(histogram, buckets.length, type === 'file') : 0) === pages * pageBytes;
          });
        },
      ),
    );
    t.pass();
  },
);

void t.test(
  'whatever a memcg has left: what is shown is whole pages, not negative, and no more than that',
  async (t) => {
    fc.assert(
      fc.property(
        fc.array(anyCohort),
        anyFootprint,
        anyBuckets,
        fc.nat(),
        fc.nat(),
        (cohorts, footprint, buckets, anonBytes, fileBytes) => {
          const columns = buckets.length;
          const histogram = histogramOf(cohorts, 0, footprint, buckets, units);
          if (!histogram) return true;
          const capped = cappedHistogram(histogram, columns, { anonBytes, fileBytes }, pageBytes);
          return (
            capped.every((bytes) => bytes >= 0 && bytes % pageBytes === 0) &&
            sum(capped, columns, true) <= fileBytes &&
            sum(capped, columns, false) <= anonBytes
          );
        },
      ),
    );
    t.pass();
  },
);

void t.test('whatever the buckets of a child: nothing is lost on the way to its parent', async (t) => {
  fc.assert(
    fc.property(
      fc.array(anyCohort),
      anyFootprint,
      anyBuckets,
      anyBuckets,
      (cohorts, footprint, childBuckets, buckets) => {
        const child = histogramOf(cohorts, 0, footprint, childBuckets, units);
        if (!child) return true;
        const parent = new Float64Array(idleRows.length * buckets.length);
        addHistogram(parent, buckets, child, childBuckets);
        const total = (histogram: Histogram): number => histogram.reduce((bytes, cell) => bytes + cell, 0);
        return total(parent) === total(child);
      },
    ),
  );
  t.pass();
});
