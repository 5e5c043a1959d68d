import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { StateDir } from '../../../src/daemon/state-dir.js';

void t.test('the folder is made, for root alone, and claimed until it is released', async (t) => {
  const path = join(t.testdir(), 'var', 'coldpgs');
  const stateDir = StateDir.claim(path);
  t.equal(statSync(path).mode & 0o777, 0o700);
  t.equal(stateDir.file('state.json'), join(path, 'state.json'));
  stateDir.release();
  t.notOk(existsSync(stateDir.file('daemon')));
  t.doesNotThrow(() => StateDir.claim(path).release());
});

void t.test('a second claim is refused while the first one lives, and tells who has it', async (t) => {
  const path = t.testdir();
  const first = StateDir.claim(path);
  t.throws(() => StateDir.claim(path), {
    code: 'STATE_IN_USE',
    errno: 'EBUSY',
    message: new RegExp(`process ${process.pid}\\).*${path}.*--state-dir`),
  });
  t.ok(existsSync(first.file('daemon')), 'the first claim is as it was');
  first.release();
});

void t.test('the claim of a daemon that died is taken over', async (t) => {
  const path = t.testdir();
  const child = spawn('sleep', ['60']);
  const claimOf = (pid: number): string => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''}\n`;
  };
  writeFileSync(join(path, 'daemon'), claimOf(child.pid ?? 0));
  t.throws(() => StateDir.claim(path), { code: 'STATE_IN_USE' }, 'it still lives');
  child.kill('SIGKILL');
  await once(child, 'exit');
  StateDir.claim(path).release();
});

void t.test(
  'a claim is worth nothing when its process id belongs to somebody else by now, or it cannot be read',
  async (t) => {
    for (const claim of [`${process.pid} 1\n`, `${process.pid}\n`, '', 'junk\n', '-1 5\n', '../../self 7\n', '\0\0\0'])
      await t.test(JSON.stringify(claim), async (t) => {
        const path = t.testdir({ daemon: claim });
        t.doesNotThrow(() => StateDir.claim(path).release());
      });
  },
);

void t.test('a folder that cannot be used is refused, with the way out', async (t) => {
  const root = t.testdir({ file: '', claimed: { daemon: {} } });
  for (const path of [join(root, 'file'), join(root, 'file', 'below'), '/proc/coldpgs', join(root, 'claimed')])
    t.throws(() => StateDir.claim(path), {
      code: 'BAD_SETTING',
      message: `The state folder ${path} cannot be used; name another with --state-dir.`,
    });
});
