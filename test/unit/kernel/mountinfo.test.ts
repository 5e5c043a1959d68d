import fc from 'fast-check';
import t from 'tap';
import { parseMountinfo } from '../../../src/kernel/mountinfo.js';
import { parseMemoryCgroup } from '../../../src/kernel/proc-cgroup.js';
import { anyBytes, damaged } from './arbitrary-text.js';
import { captured } from './fixtures.js';

void t.test('reads mounts with any number of optional fields', async (t) => {
  const text = `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 propagate_from:2 - ext3 /dev/root rw,errors=continue
31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate
`;
  t.strictSame(parseMountinfo(text), [
    { root: '/mnt1', mountPoint: '/mnt2', fileSystem: 'ext3', superOptions: ['rw', 'errors=continue'] },
    { root: '/', mountPoint: '/sys/fs/cgroup', fileSystem: 'cgroup2', superOptions: ['rw', 'nsdelegate'] },
  ]);
});

void t.test('undoes the escapes of names', async (t) => {
  t.match(parseMountinfo('1 2 0:3 /a\\040b /c\\012d\\134 rw - cgroup2 none rw\n'), [
    { root: '/a b', mountPoint: '/c\nd\\' },
  ]);
});

void t.test('reads what a kernel writes', async (t) => {
  t.strictSame(
    parseMountinfo(captured('cgroup-v1', 'mountinfo')).filter(({ superOptions }) => superOptions.includes('memory')),
    [{ root: '/', mountPoint: '/sys/fs/cgroup/memory', fileSystem: 'cgroup', superOptions: ['rw', 'memory'] }],
  );
});

void t.test('finds the cgroup of a process in the hierarchy with the memory controller', async (t) => {
  t.equal(parseMemoryCgroup(captured('kernel-6.12', 'cgroup'), 2), '/fixture/swapped out');
  t.equal(parseMemoryCgroup(captured('cgroup-v1', 'cgroup'), 1), '/service/worker');
  t.equal(parseMemoryCgroup('5:cpu,memory:/a:b\n0::/c\n', 1), '/a:b');
  t.equal(parseMemoryCgroup('5:cpu,memory:/a:b\n0::/c\n', 2), '/c');
  t.equal(parseMemoryCgroup('5:cpu:/a\n', 1), undefined);
});

void t.test('never throws, whatever the text', async () => {
  const text = fc.oneof(
    anyBytes,
    damaged(captured('kernel-6.12', 'mountinfo')),
    damaged(captured('cgroup-v1', 'cgroup')),
  );
  fc.assert(
    fc.property(text, (any) => {
      parseMountinfo(any);
      parseMemoryCgroup(any, 1);
      parseMemoryCgroup(any, 2);
    }),
  );
});
