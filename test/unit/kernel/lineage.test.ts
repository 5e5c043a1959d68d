import t from 'tap';
import { isBelow, parentOf, sameLineage } from '../../../src/kernel/lineage.js';

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

void t.test('the parent of a memcg', async (t) => {
  t.same(['/a/b', '/a', '/'].map(parentOf), ['/a', '/', '/']);
});
