import fc from 'fast-check';
import t from 'tap';
import { parseReclaimableSlabBytes } from '../../../src/kernel/meminfo.js';
import { parseShrinkerCount } from '../../../src/kernel/slab.js';
import { anyBytes } from './arbitrary-text.js';

void t.test('a shrinker counts objects by memcg and node', (t) => {
  t.same(parseShrinkerCount('sb-ext4:vda1-36', '1 1203 0\n5317 12 7\n'), [
    { shrinker: 'sb-ext4:vda1-36', memcgInode: 1n, objectsByNode: [1203, 0] },
    { shrinker: 'sb-ext4:vda1-36', memcgInode: 5317n, objectsByNode: [12, 7] },
  ]);
  t.same(parseShrinkerCount('sb-proc-1', ''), []);
  t.end();
});

void t.test('any text parses to something', (t) => {
  fc.assert(fc.property(anyBytes, (text) => Array.isArray(parseShrinkerCount('sb', text))));
  t.end();
});

void t.test('reclaimable slab of the machine', (t) => {
  t.equal(parseReclaimableSlabBytes('Slab: 30 kB\nSReclaimable:      52 kB\nSUnreclaim: 9 kB\n'), 52 * 1024);
  t.equal(parseReclaimableSlabBytes(''), 0);
  t.end();
});
