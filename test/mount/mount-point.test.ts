import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import { prepareMountPoint } from '../../src/fuse/mount-point.js';
import { silentLog } from '../../src/log.js';
import { command, conformance, DemoServer, mountsBelow, serve, temporaryFolder } from './fixture.js';

function refused(t: Test, path: string, code: string, sentence: string, create = false): Promise<unknown> {
  return t.rejects(prepareMountPoint(path, create, silentLog), { name: 'ColdpgsError', code, message: sentence });
}

conformance(async (t, transport) => {
  const folder = await temporaryFolder(t);

  await t.test('a missing mount point is refused, and made only when asked', async (t) => {
    const missing = join(folder, 'missing', 'deeper');
    await refused(t, missing, 'BAD_MOUNT_POINT', `mkdir -p '${missing}'`);
    t.equal(await prepareMountPoint(missing, true, silentLog), missing);
    t.equal(await prepareMountPoint(missing, false, silentLog), missing);
  });

  await t.test('what is not a directory is refused', async (t) => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    for (const path of [file, join(file, 'below')]) {
      await refused(t, path, 'BAD_MOUNT_POINT', 'not a directory');
      await refused(t, path, 'BAD_MOUNT_POINT', 'not a directory', true);
    }
  });

  await t.test('a directory with something in it is refused; a lone .gitkeep is nothing', async (t) => {
    const kept = join(folder, 'kept');
    await mkdir(kept);
    await writeFile(join(kept, '.gitkeep'), '');
    t.equal(await prepareMountPoint(kept, false, silentLog), kept);
    await writeFile(join(kept, 'precious'), '');
    await refused(t, kept, 'BAD_MOUNT_POINT', 'hide precious');
  });

  await t.test('symbolic links that lead in a circle are refused', async (t) => {
    await symlink(join(folder, 'circle'), join(folder, 'circle'));
    await refused(t, join(folder, 'circle'), 'BAD_MOUNT_POINT', 'too many symbolic links');
  });

  await t.test('a path too long for libfuse is refused', async (t) => {
    await refused(t, join(folder, ...Array<string>(5).fill('n'.repeat(200))), 'BAD_MOUNT_POINT', 'longer than', true);
  });

  await t.test('a file system of somebody else is never touched', async (t) => {
    const theirs = join(folder, 'theirs');
    await mkdir(theirs);
    await command('mount', ['-t', 'tmpfs', 'their-data', theirs]);
    await refused(t, theirs, 'MOUNT_POINT_IN_USE', 'their-data (tmpfs)');
    t.same(await mountsBelow(theirs), [theirs]);
  });

  await t.test('a running coldpgs is never touched, whether it answers or not', async (t) => {
    const running = await serve(t, transport);
    const second = new DemoServer(t, transport, running.mountPoint);
    t.match(await second.heard('refused'), { code: 'MOUNT_POINT_IN_USE', sentence: 'a running coldpgs serves it' });
    t.equal(await second.ended, 1);

    running.signal('SIGSTOP');
    await refused(t, running.mountPoint, 'MOUNT_POINT_IN_USE', 'does not answer');
    running.signal('SIGCONT');
    t.equal(await running.says('cat refusing'), 'nothing\n');
  });

  await t.test(
    'it mounts through a symbolic link, on a path with spaces and other scripts, over a .gitkeep',
    async (t) => {
      const real = join(folder, 'größe with \\ and 日本');
      const link = join(folder, 'link');
      await mkdir(real);
      await writeFile(join(real, '.gitkeep'), '');
      await symlink(real, link);
      const server = new DemoServer(t, transport, link);
      t.match(await server.heard('ready'), { mountPoint: real });
      t.equal(await server.says('cat refusing'), 'nothing\n');

      await refused(t, real, 'MOUNT_POINT_IN_USE', 'a running coldpgs serves it');
      await refused(t, link, 'MOUNT_POINT_IN_USE', 'a running coldpgs serves it');
      await server.signal('SIGKILL').ended;
      t.equal(await prepareMountPoint(link, false, silentLog), real, 'the dead mount is detached');
      t.same(await mountsBelow(real), []);
    },
  );
});
