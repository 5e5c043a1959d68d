import t from 'tap';
import { Census } from '../../../src/engine/census.js';
import type { LruGenMemcg } from '../../../src/kernel/lru-gen.js';

const spacingMs = 1000;

/** A memcg on one node with so many file pages in each generation, the oldest first, numbered from `firstSeq`. */
function memcg(
  filePages: readonly number[],
  { id = '7', path = '/test', firstSeq = 0, anonPages = 500 } = {},
): LruGenMemcg {
  const generations = filePages.map((pages, index) => ({
    seq: BigInt(firstSeq + index),
    ageMs: 0,
    anonPages,
    filePages: pages,
  }));
  return { id, path, nodes: [{ node: 0, generations }] };
}

void t.test('page cache that was counted long enough ago is proven; what came since is not', async (t) => {
  const census = new Census();
  census.note(memcg([100, 0, 0, 0]), 0, spacingMs);
  const now = memcg([900, 0, 0, 0]);
  census.note(now, 5000, spacingMs);
  t.equal(census.filePagesOlderThan(now, 0, 0n, 10_000, 10_000), 100);
  t.equal(census.filePagesOlderThan(now, 0, 0n, 10_000, 5000), 900);
});

void t.test('a memcg that has not been watched that long has nothing proven', async (t) => {
  const census = new Census();
  const known = memcg([100, 0, 0, 0]);
  t.equal(census.filePagesOlderThan(known, 0, 3n, 60_000, 1000), 0, 'never noted');
  census.note(known, 1000, spacingMs);
  t.equal(census.filePagesOlderThan(known, 0, 3n, 10_999, 10_000), 0, 'a millisecond too short');
  t.equal(census.filePagesOlderThan(known, 0, 3n, 11_000, 10_000), 100);
  t.equal(census.filePagesOlderThan(known, 1, 3n, 11_000, 10_000), 0, 'a node it does not have');
});

void t.test('a memcg that had no page since is as one that was not watched before', async (t) => {
  const census = new Census();
  const full = memcg([100, 0, 0, 0]);
  census.note(full, 0, spacingMs);
  census.note(memcg([0, 0, 0, 0], { anonPages: 0 }), spacingMs / 2, spacingMs);
  census.note(full, 5000, spacingMs);
  t.equal(census.filePagesOlderThan(full, 0, 3n, 10_000, 10_000), 0);
  t.equal(census.filePagesOlderThan(full, 0, 3n, 10_000, 5000), 100);
});

void t.test('the fewest pages ever counted there bound what is proven: what left made room for newer', async (t) => {
  const census = new Census();
  for (const [atMs, pages] of [
    [0, 300],
    [5000, 20],
    [10_000, 300],
  ] as const)
    census.note(memcg([pages, 0, 0, 0]), atMs, spacingMs);
  t.equal(census.filePagesOlderThan(memcg([300]), 0, 0n, 10_000, 10_000), 20);
});

void t.test(
  'all generations up to the asked one count, so pages that were folded into a younger one are not lost',
  async (t) => {
    const census = new Census();
    census.note(memcg([100, 50, 9, 9]), 0, spacingMs);
    const folded = memcg([150, 9, 9, 0], { firstSeq: 1 });
    census.note(folded, 10_000, spacingMs);
    t.equal(census.filePagesOlderThan(folded, 0, 1n, 10_000, 10_000), 150);
    t.equal(census.filePagesOlderThan(folded, 0, 0n, 10_000, 10_000), 0, 'a generation that is gone');
  },
);

void t.test(
  'samples closer together than the spacing are left out, and enough are kept to look far back',
  async (t) => {
    const census = new Census();
    census.note(memcg([100]), 0, spacingMs);
    census.note(memcg([1]), 999, spacingMs);
    t.equal(census.filePagesOlderThan(memcg([1]), 0, 0n, 1000, 500), 100, 'the close one was left out');
    for (let atMs = spacingMs; atMs <= 6 * spacingMs; atMs += spacingMs) census.note(memcg([100]), atMs, spacingMs);
    t.equal(census.filePagesOlderThan(memcg([100]), 0, 0n, 6 * spacingMs, 6 * spacingMs), 100);
  },
);

void t.test('a memcg is known by id and path together, and forgotten when it is listed no more', async (t) => {
  const census = new Census();
  const known = memcg([100]);
  census.note(known, 0, spacingMs);
  const renamed = memcg([100], { path: '/other' });
  const reused = memcg([100], { id: '8' });
  for (const other of [renamed, reused]) t.equal(census.filePagesOlderThan(other, 0, 0n, 1000, 1000), 0);
  census.keepOnly([known]);
  t.equal(census.filePagesOlderThan(known, 0, 0n, 1000, 1000), 100);
  census.keepOnly([reused]);
  t.equal(census.filePagesOlderThan(known, 0, 0n, 1000, 1000), 0);
});
