import { constants, readFileSync } from 'node:fs';
import t from 'tap';
import { LinuxCgroupFiles, meansCaller } from '../../../../src/kernel/linux/cgroup-files.js';

const root = { uid: 0, gid: 0, threadId: process.pid };
const never = new AbortController().signal;

void t.test('an id that the kernel reads as 0 means who writes it', async (t) => {
  for (const text of ['0', '0\n', ' 00 ', '0x0', '+0', '0X00\n']) t.ok(meansCaller(text), text);
  for (const text of ['', '1', '10', '0x10', '0 1', 'self', '-0x']) t.notOk(meansCaller(text), text);
});

void t.test('directories come first, and every refusal is the kernel’s', async (t) => {
  const files = new LinuxCgroupFiles(t.testdir({ group: { 'memory.max': 'max\n' }, 'a.file': '' }), 2);
  t.same(files.list('/'), [
    { name: 'group', isDirectory: true },
    { name: 'a.file', isDirectory: false },
  ]);
  t.match(files.status('/group/memory.max'), { isDirectory: false, links: 1 });
  t.throws(() => files.status('/none'), { code: 'ENOENT' });
  t.throws(() => files.open('/none', constants.O_RDONLY, root), { code: 'ENOENT' });
  t.throws(() => files.open('/new', constants.O_WRONLY | constants.O_CREAT, root), { code: 'ENOENT' });
  await t.rejects(files.make('/group', 0o755, root), { code: 'EEXIST' });
  await t.rejects(files.remove('/group', root), { code: 'ENOTEMPTY' });
});

void t.test('what is written goes there in one write; what is read comes from any offset', async (t) => {
  const folder = t.testdir({ 'memory.max': 'max\n', 'memory.pressure': '', 'memory.reclaim': '' });
  const files = new LinuxCgroupFiles(folder, 2);
  const opened = files.open('/memory.max', constants.O_RDWR, root);
  t.equal(Buffer.from(opened.read(1, 100)).toString(), 'ax\n');
  await opened.write('4096', root, never);
  t.equal(Buffer.from(opened.read(0, 2)).toString(), '40');
  opened.close();
  const trigger = files.open('/memory.pressure', constants.O_RDWR, root);
  await t.rejects(trigger.write('some 150000 1000000', root, never), { code: 'KERNEL_REFUSED', message: /trigger/ });
  trigger.close();
  const reclaim = files.open('/memory.reclaim', constants.O_WRONLY, root);
  await reclaim.write('1M', root, never);
  t.equal(readFileSync(`${folder}/memory.reclaim`, 'utf8'), '1M');
  await t.rejects(reclaim.write('1M', root, AbortSignal.abort()), { code: 'CANCELLED' });
  reclaim.close();
});
