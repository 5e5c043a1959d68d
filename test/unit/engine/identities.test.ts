import t from 'tap';
import { Identities } from '../../../src/engine/identities.js';
import type { LruGenMemcg } from '../../../src/kernel/lru-gen.js';

/** A memcg as listed at `atMs`, its youngest generation of that number born at `bornMs`. */
function listed(path: string, atMs: number, { id = '7', youngest = 3n, bornMs = 0 } = {}): LruGenMemcg {
  const generations = [youngest - 1n, youngest].map((seq) => ({
    seq,
    ageMs: atMs - bornMs,
    anonPages: 0,
    filePages: 0,
  }));
  return { id, path, nodes: [{ node: 0, generations }] };
}

/** Identities over paths and inodes that the test sets, and how often somebody asked. */
function over(inodes: Map<string, bigint>) {
  const asked: string[] = [];
  const identities = new Identities((path) => {
    asked.push(path);
    const inode = inodes.get(path);
    return inode === undefined ? undefined : { path, inode };
  });
  return { identities, asked };
}

void t.test('an identity is asked for once, as long as the generations go on', async (t) => {
  const { identities, asked } = over(new Map([['/test', 5n]]));
  t.equal((await identities.identify([listed('/test', 1000)], 1000))[0]?.memcg.inode, 5n);
  await identities.identify([listed('/test', 9000)], 9000);
  const aged = {
    ...listed('/test', 9000),
    nodes: [
      {
        node: 0,
        generations: [
          ...(listed('/test', 9000).nodes[0]?.generations ?? []),
          { seq: 4n, ageMs: 1000, anonPages: 0, filePages: 0 },
        ],
      },
    ],
  };
  await identities.identify([aged], 9000);
  t.same(asked, ['/test']);
});

void t.test('another id, other births, or generations that begin anew: it is asked again', async (t) => {
  const inodes = new Map([['/test', 5n]]);
  const { identities } = over(inodes);
  const inodeOf = async (one: LruGenMemcg, atMs: number) => (await identities.identify([one], atMs))[0]?.memcg.inode;
  t.equal(await inodeOf(listed('/test', 0, { youngest: 9n }), 0), 5n);
  inodes.set('/test', 6n);
  t.equal(await inodeOf(listed('/test', 5000, { youngest: 3n, bornMs: 4000 }), 5000), 6n, 'numbers begin anew');
  inodes.set('/test', 7n);
  t.equal(
    await inodeOf(listed('/test', 20_000, { youngest: 3n, bornMs: 15_000 }), 20_000),
    7n,
    'the same number, born later',
  );
  inodes.set('/test', 8n);
  t.equal(await inodeOf(listed('/test', 21_000, { id: '8', youngest: 3n, bornMs: 15_000 }), 21_000), 8n, 'another id');
});

void t.test('memcgs that are offline or gone are left out; of two lines for one path the last counts', async (t) => {
  const { identities } = over(
    new Map([
      ['/a', 1n],
      ['/b', 2n],
    ]),
  );
  const seen = await identities.identify(
    [
      listed('/a', 0),
      listed('/zombie', 0, { id: '0' }),
      listed('/gone', 0, { id: '9' }),
      listed('/b', 0, { id: '2' }),
      listed('/a', 0, { youngest: 5n }),
    ],
    0,
  );
  t.same(
    seen.map(({ memcg }) => memcg.path),
    ['/a', '/b'],
  );
  t.equal(seen[0]?.listed.nodes[0]?.generations.at(-1)?.seq, 5n);
});
