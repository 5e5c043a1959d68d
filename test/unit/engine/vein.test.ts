import t from 'tap';
import type { PageType } from '../../../src/engine/eviction.js';
import { followSent, openReturned, openVein, returnedPages } from '../../../src/engine/vein.js';
import type { LruGenMemcg } from '../../../src/kernel/lru-gen.js';

/** A memcg whose oldest generation is number 10, with so many anonymous pages in each. */
function listing(...anonPages: readonly number[]): LruGenMemcg {
  const generations = anonPages.map((pages, index) => ({
    seq: BigInt(10 + index),
    ageMs: 40_000 - index * 10_000,
    anonPages: pages,
    filePages: 0,
  }));
  return { id: '1', path: '/a', nodes: [{ node: 0, generations }] };
}

/** A vein whose oldest generation is proven, opened as the kernel lists it now. */
function veinOf(listed: LruGenMemcg, type: PageType = 'anon') {
  const pages = listed.nodes[0]?.generations[0]?.anonPages ?? 0;
  return openVein({ id: '1', node: 0, type, newestSeq: 10n, pages }, listed);
}

void t.test('what was sent to swap, and stands among younger generations since, is proven as well', async (t) => {
  const before = listing(8000, 0, 0, 0);
  const sent = listing(6500, 1500, 0, 0);
  const vein = veinOf(sent);
  followSent(vein, before, sent);
  t.equal(vein.leftPages, 8000);
  vein.leftPages -= 6500;
  const evicted = listing(0, 1500, 0, 0);
  t.equal(returnedPages(vein, evicted), 1500);
  t.ok(openReturned(vein, listing(0, 1500, 0, 0, 0), 1500), 'within reach after one aging of the run');
  t.equal(vein.seq, 12n);
});

void t.test(
  'but not where others were among those generations before, and more stands there than was written',
  async (t) => {
    const before = listing(8000, 900, 0, 0);
    const sent = listing(6500, 2400, 0, 0);
    const vein = veinOf(sent);
    followSent(vein, before, sent);
    t.equal(vein.leftPages, 8000, 'they count for what came');
    t.notOk(openReturned(vein, listing(0, 2400, 0, 0, 0), 1500));
  },
);

void t.test('what left younger generations since takes nothing off, and page cache is not sent to swap', async (t) => {
  const before = listing(8000, 900, 0, 0);
  const sent = listing(8000, 0, 0, 0);
  const vein = veinOf(sent);
  followSent(vein, before, sent);
  t.equal(vein.leftPages, 8000);
  const cache = veinOf(listing(6500, 1500, 0, 0), 'file');
  const { leftPages, opened } = cache;
  followSent(cache, listing(8000, 0, 0, 0), listing(6500, 1500, 0, 0));
  t.same([cache.leftPages, cache.opened], [leftPages, opened]);
});
