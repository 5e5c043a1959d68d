import fc from 'fast-check';
import t from 'tap';
import {
  agingIntervalMs,
  earlyAgings,
  longestProvenIdleMs,
  newestProvenSeq,
  pagesUpTo,
} from '../../../src/engine/coldness.js';
import type { Generation } from '../../../src/kernel/lru-gen.js';

/** Generations of these ages in milliseconds, oldest first: seq 0, 1, 2 ... */
function generations(...agesMs: readonly number[]): Generation[] {
  return agesMs.map((ageMs, seq) => ({ seq: BigInt(seq), ageMs, anonPages: 10, filePages: 1 }));
}

void t.test('a generation is as idle as its successor is old: to the millisecond', async (t) => {
  const four = generations(40_000, 30_000, 20_000, 10_000);
  t.equal(newestProvenSeq(four, 30_001), undefined, 'its own age says nothing: a page may have been used later');
  t.equal(newestProvenSeq(four, 30_000), 0n);
  t.equal(newestProvenSeq(four, 20_001), 0n);
  t.equal(newestProvenSeq(four, 20_000), 1n);
});

void t.test('the two youngest are never proven, however old: the kernel evicts neither', async (t) => {
  t.equal(newestProvenSeq(generations(9e9, 8e9, 7e9, 6e9), 0), 1n);
  t.equal(newestProvenSeq(generations(9e9, 8e9, 7e9), 0), 0n);
  t.equal(newestProvenSeq(generations(9e9, 8e9), 0), undefined);
  t.equal(newestProvenSeq([], 0), undefined);
});

void t.test('the longest idle time that any border proves', async (t) => {
  t.equal(longestProvenIdleMs(generations(40_000, 30_000, 20_000, 10_000)), 30_000);
  t.equal(longestProvenIdleMs(generations(40_000, 30_000)), 0, 'of two generations neither can be evicted');
});

void t.test('pages of a type up to a generation', async (t) => {
  const four = generations(4, 3, 2, 1);
  t.equal(pagesUpTo(four, 1n, 'anonPages'), 20);
  t.equal(pagesUpTo(four, 0n, 'filePages'), 1);
  t.equal(pagesUpTo(four, -1n, 'filePages'), 0);
});

void t.test(
  'a memcg is aged once a period for thresholds of 0 to 2, then every half of the asked age and a bit',
  async (t) => {
    const intervals = [0, 1, 2, 3, 4, 255].map((agePeriods) => agingIntervalMs(10_000, agePeriods));
    t.same(intervals, [10_000, 10_000, 10_000, 15_789, 21_052, 1_342_105]);
  },
);

void t.test('after four agings at its interval every threshold is proven, at any moment in between', async (t) => {
  for (const agePeriods of [1, 2, 3, 255]) {
    const intervalMs = agingIntervalMs(1000, agePeriods);
    for (const sinceMs of [0, 1, intervalMs / 2, intervalMs - 1]) {
      const earlyMs = agePeriods > 2 ? Math.ceil(intervalMs * (1 - earlyAgings)) : intervalMs;
      const ages = [3, 2, 1, 0].map((intervals) => intervals * earlyMs + sinceMs);
      t.not(
        newestProvenSeq(generations(...ages), agePeriods * 1000),
        undefined,
        `${agePeriods} periods, ${sinceMs} ms`,
      );
    }
  }
});

void t.test(
  'whatever the ages: what is proven has an old enough successor and is no newer than the youngest but two',
  async (t) => {
    const ages = fc.array(fc.nat(100_000), { maxLength: 4 }).map((some) => some.sort((a, b) => b - a));
    fc.assert(
      fc.property(ages, fc.nat(120_000), (agesMs, idleMs) => {
        const proven = newestProvenSeq(generations(...agesMs), idleMs);
        const idle = agesMs.slice(1, -1).filter((ageMs) => ageMs >= idleMs).length;
        return proven === (idle === 0 ? undefined : BigInt(idle - 1));
      }),
    );
    t.pass();
  },
);
