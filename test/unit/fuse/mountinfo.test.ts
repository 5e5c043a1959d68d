import t from 'tap';
import { mountedAt, parseMountinfo } from '../../../src/fuse/mountinfo.js';

void t.test('mountinfo lines of every shape are understood', async (t) => {
  const text = [
    '22 27 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw',
    '30 22 0:26 / /sys/fs/cgroup rw shared:9 master:1 propagate_from:2 - cgroup2 cgroup2 rw,nsdelegate',
    '42 27 0:39 / /run/coldpgs rw,nosuid,nodev - fuse.coldpgs coldpgs rw,user_id=0',
    String.raw`43 27 0:40 /a\040b /mnt/with\040space\134and\011tab rw - tmpfs my\040data rw`,
    String.raw`44 27 0:41 / /mnt/gr` + '\xc3\xb6' + String.raw`\303\237e rw - ext4 /dev/sda1 rw`,
    '',
  ].join('\n');
  t.same(parseMountinfo(text), [
    { id: 22, mountPoint: '/sys', type: 'sysfs', source: 'sysfs' },
    { id: 30, mountPoint: '/sys/fs/cgroup', type: 'cgroup2', source: 'cgroup2' },
    { id: 42, mountPoint: '/run/coldpgs', type: 'fuse.coldpgs', source: 'coldpgs' },
    { id: 43, mountPoint: '/mnt/with space\\and\ttab', type: 'tmpfs', source: 'my data' },
    { id: 44, mountPoint: '/mnt/größe', type: 'ext4', source: '/dev/sda1' },
  ]);
});

void t.test('lines that are none are passed over', async (t) => {
  t.same(parseMountinfo('nonsense\n1 2 3\n - \n'), []);
});

void t.test('this machine has /proc mounted, and nothing on a path that does not exist', async (t) => {
  t.match(await mountedAt('/proc'), { mountPoint: '/proc', type: 'proc' });
  t.equal(await mountedAt('/there/is/no/such/file'), undefined);
});
