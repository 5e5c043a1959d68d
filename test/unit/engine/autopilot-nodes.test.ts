import t from 'tap';
import { pages, world } from './world.js';

void t.test('an override that disables node 0 of a memcg leaves its node 1 to the default', async (t) => {
  const it = await world({ nodes: 2 });
  it.engine.autopilot.change({
    settings: { disabled: false, period_secs: 10 },
    overrides: [{ path: '/pod', nodes: [0], noSubdir: false, settings: { disabled: true } }],
  });
  const sets = ['/pod', '/pod/below', '/other'].map((path) =>
    [0, 1].map((node) => it.machine.file(path, { mib: 8, node })),
  );
  await it.periods(8);
  t.same(
    sets.map((nodes) => nodes.map((set) => it.machine.where(set).storage)),
    [
      [0, pages(8)],
      [0, pages(8)],
      [pages(8), pages(8)],
    ],
  );
  const watched = [...it.engine.autopilot.book.all()].filter(({ memcg }) => memcg.path === '/pod');
  t.same(
    watched.map(({ node, ends, evictedPages }) => [node, ends.has('done'), evictedPages.file]),
    [
      [0, false, 0],
      [1, true, pages(8)],
    ],
  );
});
