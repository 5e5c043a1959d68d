import t from 'tap';
import { childPath, isBelow, lineageOf, parentOf, sameLineage } from '../../../src/kernel/lineage.js';

void t.test('one lineage: a memcg, its ancestors and its descendants', async (t) => {
  t.ok(isBelow('/a/b', '/a'));
  t.ok(isBelow('/a', '/'));
  t.notOk(isBelow('/', '/'));
  t.notOk(isBelow('/a', '/a'));
  t.notOk(isBelow('/ab', '/a'), 'a name that begins alike');
  t.ok(sameLineage('/a', '/a/b'));
  t.ok(sameLineage('/a/b', '/a'));
  t.ok(sameLineage('/a', '/a'));
  t.notOk(sameLineage('/a/b', '/a/c'));
});

void t.test('up and down from a memcg', async (t) => {
  t.same(['/a/b', '/a', '/'].map(parentOf), ['/a', '/', '/']);
  t.same(lineageOf('/a/b'), ['/a/b', '/a', '/']);
  t.same(lineageOf('/'), ['/']);
  t.equal(childPath('/a', 'b'), '/a/b');
  t.equal(childPath('/', 'a'), '/a');
});
