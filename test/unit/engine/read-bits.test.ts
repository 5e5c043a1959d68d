import t from 'tap';
import { readBits } from '../../../src/engine/read-bits.js';
import type { LruGenMemcg } from '../../../src/kernel/lru-gen.js';

const periodMs = 10_000;

function memcg(seq: number, ageMs: number, ageOfNextMs: number): LruGenMemcg {
  const generation = (number: number, age: number) => ({ seq: BigInt(number), ageMs: age, anonPages: 0, filePages: 0 });
  return {
    id: '5',
    path: '/a',
    nodes: [{ node: 0, generations: [generation(seq - 1, ageOfNextMs), generation(seq, ageMs)] }],
  };
}

void t.test('an aging since the look before makes the bits say something', async (t) => {
  t.equal(readBits(memcg(7, 9000, 19_000), memcg(8, 9000, 19_000), periodMs), 'fresh');
});

void t.test('without one they are held, and so they are at the first look', async (t) => {
  t.equal(readBits(memcg(7, 4000, 14_000), memcg(7, 9000, 19_000), periodMs), 'held');
  t.equal(readBits(undefined, memcg(7, 4000, 14_000), periodMs), 'held');
});

void t.test('a memcg that is aged every 50 s is not stale after 40', async (t) => {
  t.equal(readBits(memcg(7, 30_000, 80_000), memcg(7, 40_000, 90_000), periodMs), 'held');
});

void t.test('one that agings stay away from is', async (t) => {
  t.equal(readBits(memcg(7, 30_000, 40_000), memcg(7, 40_000, 50_000), periodMs), 'stale');
});
