import fc from 'fast-check';
import t from 'tap';
import { bandCohorts, bandSchemes, bandStarts, schemesPerMemcg } from '../../../src/engine/damon-bands.js';
import type { DamonStat } from '../../../src/kernel/damon.js';
import { memcgOf } from './frames-kernel.js';

const machine = { regionBytes: 2 ** 31, pageBytes: 4096, periodMs: 1000 };
const none: DamonStat[] = bandSchemes([memcgOf('/a', 1n)]).map(() => ({ triedBytes: 0, passedBytes: 0 }));

/** What is counted when schemes were applied so often, and let so many pages pass each time, by scheme. */
function counted(times: number, pages: Record<number, number>): DamonStat[] {
  return none.map((_, scheme) => ({
    triedBytes: scheme === 0 ? times * machine.regionBytes : 0,
    passedBytes: (pages[scheme] ?? 0) * machine.pageBytes * times,
  }));
}

void t.test('each memcg has a scheme for each band of each type, which leave no gap', async (t) => {
  const schemes = bandSchemes([memcgOf('/a', 1n), memcgOf('/b', 2n)]);
  t.equal(schemes.length, 1 + 2 * schemesPerMemcg);
  const bands = schemes.slice(1, 1 + bandStarts.length).map(({ ageIntervals }) => ageIntervals);
  for (const [index, [least]] of bands.entries()) if (index > 0) t.equal(least, (bands[index - 1]?.[1] ?? 0) + 1);
  t.ok(
    schemes.slice(1).every(({ accesses }) => accesses[1] === 0),
    'regions without an access only',
  );
});

void t.test('what no band has was in use', async (t) => {
  const cohorts = bandCohorts(none, counted(1, { 1: 100, 2: 50, 9: 7 }), 0, { anon: 200, file: 7 }, machine);
  t.strictSame(
    cohorts?.map(({ type, pages, idleAtLeastMs, idleAtMostMs }) => [type, pages, idleAtLeastMs, idleAtMostMs]),
    [
      ['anon', 50, 0, 1000],
      ['anon', 100, 1000, 2000],
      ['anon', 50, 2000, 5000],
      ['file', 7, 1000, 2000],
    ],
  );
});

void t.test('schemes that were applied twice have counted twice', async (t) => {
  const cohorts = bandCohorts(none, counted(2, { 1: 100 }), 0, { anon: 100, file: 0 }, machine);
  t.strictSame(
    cohorts?.map(({ pages }) => pages),
    [100],
  );
});

void t.test('says nothing when they were not applied', async (t) => {
  t.equal(bandCohorts(none, none, 0, { anon: 100, file: 0 }, machine), undefined);
});

void t.test('never has more pages than the memcg, and counts all of them, whatever was counted', async () => {
  const anyStats = fc.array(fc.record({ triedBytes: fc.nat(), passedBytes: fc.nat() }), { maxLength: 20 });
  fc.assert(
    fc.property(anyStats, anyStats, fc.nat(), fc.nat(), (before, now, anon, file) => {
      const cohorts = bandCohorts(before, now, 0, { anon, file }, { ...machine, regionBytes: 1000 }) ?? [];
      const of = (type: string): number =>
        cohorts.filter((one) => one.type === type).reduce((sum, { pages }) => sum + pages, 0);
      return (
        cohorts.every(({ pages }) => pages > 0 && Number.isInteger(pages)) &&
        (cohorts.length === 0 || (of('anon') === anon && of('file') === file))
      );
    }),
  );
});
