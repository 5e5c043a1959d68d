import t from 'tap';
import { defaultBuckets } from '../../../src/engine/histogram.js';
import { type World, world } from './world.js';

function bucketsOf(it: World, path: string): string {
  return it.engine.kidled.bucketsOf(it.at(path)).join();
}

function setBuckets(it: World, path: string, ...buckets: number[]): void {
  it.engine.kidled.setBuckets(it.at(path), buckets);
}

void t.test('a memcg has the buckets that its parent had when it was made, seen by a look or not', async (t) => {
  const it = await world();
  it.machine.memcg('/p');
  await it.periods(1);
  it.machine.memcg('/p/before/below');
  setBuckets(it, '/p', 5, 10);
  it.machine.memcg('/p/after');
  for (const path of ['/p/before', '/p/before/below']) t.equal(bucketsOf(it, path), defaultBuckets.join(), path);
  t.equal(bucketsOf(it, '/p/after'), '5,10');
  await it.periods(2);
  t.equal(bucketsOf(it, '/p/before'), defaultBuckets.join(), 'and keeps them');
  t.equal(bucketsOf(it, '/p/after'), '5,10');
});

void t.test('those below inherit from the nearest ancestor that has buckets of its own', async (t) => {
  const it = await world();
  it.machine.memcg('/p/q');
  setBuckets(it, '/p/q', 7);
  it.machine.memcg('/p/q/r/s');
  it.machine.memcg('/p/other');
  setBuckets(it, '/', 1, 2);
  setBuckets(it, '/p', 5, 10);
  t.same(
    ['/', '/p', '/p/q', '/p/q/r', '/p/q/r/s', '/p/other'].map((path) => bucketsOf(it, path)),
    ['1,2', '5,10', '7', '7', '7', defaultBuckets.join()],
  );
});

void t.test('a reset with the buckets that were there does not walk through what is below', async (t) => {
  const it = await world();
  it.machine.memcg('/p/c');
  setBuckets(it, '/p', 5, 10);
  let walked = 0;
  const { memcgs } = it.machine.kernel;
  const childNames = memcgs.childNames.bind(memcgs);
  memcgs.childNames = (path) => {
    walked++;
    return childNames(path);
  };
  setBuckets(it, '/p', 5, 10);
  t.equal(walked, 0);
  setBuckets(it, '/p', 5, 11);
  t.equal(walked, 2);
});
