import t from 'tap';
import { SeenByInode } from '../../../src/engine/seen-by-inode.js';
import type { SeenMemcg } from '../../../src/engine/tracker.js';

const memcgs = [1n, 2n, 3n].map((inode) => ({ path: `/${inode}`, inode }));

/** A look at memcgs, as the lines of its listing name them. */
function look(seen: typeof memcgs, name: string): SeenMemcg[] {
  return seen.map((memcg) => ({ memcg, listed: { id: `${name} of ${memcg.path}`, path: memcg.path, nodes: [] } }));
}

void t.test('finds what the latest look listed, whatever the one before saw', async (t) => {
  const [a, b, c] = memcgs;
  if (!a || !b || !c) throw new Error('there are three');
  let seen = new SeenByInode();
  t.equal(seen.listed(1), undefined);
  for (const [name, those] of [
    ['first', [a, b, c]],
    ['same', [a, b, c]],
    ['turned round', [c, b, a]],
    ['fewer', [c, b]],
    ['made again', [{ ...c }, { path: '/2', inode: 7n }]],
  ] as const) {
    seen = new SeenByInode(look([...those], name), seen);
    for (const inode of [1n, 2n, 3n, 7n]) {
      const memcg = those.find((one) => one.inode === inode);
      t.equal(seen.listed(Number(inode))?.id, memcg && `${name} of ${memcg.path}`, `${name}: ${inode}`);
    }
  }
});
