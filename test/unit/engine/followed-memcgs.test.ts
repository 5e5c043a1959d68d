import t from 'tap';
import { followedMemcgs } from '../../../src/engine/followed-memcgs.js';
import { memcgOf } from './frames-kernel.js';

/** Memcgs by name and pages; the followed ones by name. Answers names. */
function follow(pages: Record<string, number>, followed: string, most = 3): string {
  const memcg = (name: string) => memcgOf(`/${name}`, BigInt(name.charCodeAt(0)));
  const all = Object.entries(pages).map(([name, count]) => ({ memcg: memcg(name), pages: count }));
  return followedMemcgs(all, [...followed].map(memcg), most)
    .map((one) => one.memcg.path.slice(1))
    .join('');
}

void t.test('at first the largest, without those that have nothing', async (t) => {
  t.equal(follow({ a: 10, b: 40, c: 20, d: 30 }, ''), 'bdc');
  t.equal(follow({ a: 10, b: 0 }, ''), 'a');
});

void t.test('memcgs of about the same size do not take turns', async (t) => {
  t.equal(follow({ a: 10, b: 11, c: 12, d: 20 }, 'abc'), 'abc');
});

void t.test('one that has more than twice the pages of the smallest takes its place', async (t) => {
  t.equal(follow({ a: 10, b: 11, c: 12, d: 21, e: 22 }, 'abc'), 'ebc');
  t.equal(follow({ a: 10, b: 11, c: 12, d: 23, e: 24 }, 'abc'), 'edc');
});

void t.test('one that is empty for a while stays, one that is gone makes room', async (t) => {
  t.equal(follow({ a: 0, b: 11 }, 'ab'), 'ab');
  t.equal(follow({ b: 11, c: 0, d: 5 }, 'abc'), 'bcd');
});
