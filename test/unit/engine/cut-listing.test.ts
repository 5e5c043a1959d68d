import t from 'tap';
import { type LruGenMemcg, parseLruGen } from '../../../src/kernel/lru-gen.js';
import { pageBytes, pages, periodMs, type World, world } from './world.js';

const memcgs = ['/', '/a', '/a/b', '/c', '/d'];

/** A listing as the kernel writes it. */
function textOf(listed: readonly LruGenMemcg[]): string {
  const lines = listed.flatMap(({ id, path, nodes }) => [
    `memcg ${id.padStart(5)} ${path}`,
    ...nodes.flatMap(({ node, generations }) => [
      ` node ${String(node).padStart(5)}`,
      ...generations.map(({ seq, ageMs, anonPages, filePages }) =>
        [seq, ageMs, anonPages, filePages].map((number) => String(number).padStart(11)).join(''),
      ),
    ]),
  ]);
  return lines.map((line) => `${line}\n`).join('');
}

/** Memcgs that have memory idle for 28 periods, and as much that has been for 8; each reading of the generations goes through `cut`. */
async function aged(cut: (text: string) => string): Promise<World> {
  const it = await world({ nodes: 2 });
  it.engine.kidled.scanTarget = 3;
  const { lruGen } = it.machine.kernel;
  const read = lruGen.read.bind(lruGen);
  lruGen.read = async () => parseLruGen(cut(textOf(await read())));
  for (const periods of [20, 8]) {
    for (const path of memcgs) for (const node of [0, 1]) it.machine.anon(path, { mib: 1, node });
    it.machine.slab('/a/b', { mib: 2 });
    await it.periods(periods);
  }
  return it;
}

/** Pages of a memcg by whether they are known to be idle for so many periods. */
function idlePages(it: World, path: string, periods: number): number {
  return it.engine.tracker
    .cohorts(it.at(path))
    .reduce((sum, { pages, idleAtLeastMs }) => (idleAtLeastMs >= periods * periodMs ? sum + pages : sum), 0);
}

/** Whatever is shown of a memcg, in pages. */
function shown(it: World, path: string, scope: 'own' | 'tree'): readonly number[] {
  return [...it.engine.kidled.stats(it.at(path), scope).histogram].map((bytes) => bytes / pageBytes);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}

void t.test('a listing that is cut off somewhere takes no ages from what is behind the cut', async (t) => {
  let length = 0;
  await aged((text) => {
    length = text.length;
    return text;
  });
  for (let at = 0; at <= length; at += 67) {
    let keptBytes = Infinity;
    const it = await aged((text) => text.slice(0, keptBytes));
    keptBytes = at;
    await it.periods(1);
    for (const path of memcgs) {
      const own = shown(it, path, 'own');
      const most = pages(4) + (path === '/a/b' ? pages(2) : 0);
      const where = `${path}, cut at ${at} of ${length}`;
      if (!own.every((count) => count >= 0)) t.fail(`less than nothing in ${where}`);
      if (sum(own) > most) t.fail(`${sum(own)} pages, not ${most}, in ${where}`);
    }
    if (sum(shown(it, '/', 'tree')) > memcgs.length * pages(4) + pages(2)) t.fail(`too much in all, cut at ${at}`);
    keptBytes = Infinity;
    await it.periods(1);
    for (const path of memcgs) {
      const found = [idlePages(it, path, 20), idlePages(it, path, 5)];
      t.same(found, [pages(2), pages(4)], `${path}, after a cut at ${at} of ${length}`);
    }
  }
});

void t.test('a memcg that listings lack for long is as new when it is back', async (t) => {
  let lacks = false;
  const it = await aged((text) => (lacks ? text.slice(0, text.indexOf('memcg', 10)) : text));
  lacks = true;
  await it.periods(3);
  t.equal(idlePages(it, '/c', 20), pages(2));
  await it.periods(3);
  t.equal(idlePages(it, '/c', 0), 0, 'nobody knows what became of it');
});

void t.test('a removed memcg leaves nothing behind', async (t) => {
  const it = await aged((text) => text);
  it.machine.rmdir('/c');
  await it.periods(1);
  t.equal(sum(shown(it, '/', 'tree')), (memcgs.length - 1) * pages(4) + pages(2));
});
