import t from 'tap';
import { Looks, oldestAge } from '../../../src/engine/looks.js';

function looksAt(...timesMs: number[]): Looks {
  const looks = new Looks();
  for (const atMs of timesMs) looks.add(atMs);
  return looks;
}

void t.test('age 0 was used between the last two looks, age 1 between those before', async (t) => {
  const looks = looksAt(0, 1000, 3000);
  t.strictSame(looks.idleMs(0), { idleAtLeastMs: 0, idleAtMostMs: 2000 });
  t.strictSame(looks.idleMs(1), { idleAtLeastMs: 2000, idleAtMostMs: 3000 });
});

void t.test('what goes back to the first look has no upper end', async (t) => {
  t.strictSame(looksAt(0, 1000, 3000).idleMs(2), { idleAtLeastMs: 3000, idleAtMostMs: Infinity });
  t.strictSame(looksAt(500).idleMs(0), { idleAtLeastMs: 0, idleAtMostMs: Infinity });
});

void t.test('what a long look found unused may have been used until that look was over', async (t) => {
  const looks = new Looks();
  for (const atMs of [0, 1000, 2000, 3000]) looks.add(atMs, atMs + 900);
  t.strictSame(looks.idleMs(2), { idleAtLeastMs: 1100, idleAtMostMs: 3000 });
  t.strictSame(looks.idleMs(0), { idleAtLeastMs: 0, idleAtMostMs: 1000 });
});

void t.test('the oldest age has no upper end however many looks there were', async (t) => {
  const looks = looksAt(...Array.from({ length: 400 }, (_, index) => index * 10));
  t.strictSame(looks.idleMs(oldestAge), { idleAtLeastMs: 2550, idleAtMostMs: Infinity });
  t.strictSame(looks.idleMs(oldestAge - 1), { idleAtLeastMs: 2540, idleAtMostMs: 2550 });
});

void t.test('a clock that goes back makes nothing negative', async (t) => {
  t.strictSame(looksAt(1000, 400).idleMs(0), { idleAtLeastMs: 0, idleAtMostMs: 0 });
});

void t.test('forgets', async (t) => {
  const looks = looksAt(1, 2);
  looks.forget();
  t.equal(looks.latestMs, undefined);
  t.equal(looks.count, 0);
});
