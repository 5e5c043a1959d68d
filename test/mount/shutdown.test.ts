import { command, conformance, DemoServer, eventually, mountsBelow, serve } from './fixture.js';

conformance(async (t, transport) => {
  await t.test('SIGTERM unmounts and ends with 0', async (t) => {
    const server = await serve(t, transport);
    t.equal(await server.signal('SIGTERM').ended, 0);
    t.same(await mountsBelow(server.mountPoint), []);
    t.equal(await server.says('ls'), '');
  });

  await t.test('SIGTERM ends it also while files are open and a write goes on; the writer is told', async (t) => {
    const server = await serve(t, transport);
    await server.inBackground(t, 'exec 3< counter; echo holding; cd /; exec sleep 60');
    const writing = server.sh('echo long > slow/60000');
    await eventually('the write', async () => (await server.says('cat slow/60000')) === 'begin long\n');
    const asked = performance.now();
    t.equal(await server.signal('SIGTERM').ended, 0);
    t.ok(performance.now() - asked < 10_000, 'long before the write would have ended');
    t.match(await writing, { status: 1, stderr: 'Interrupted system call' });
    t.same(await mountsBelow(server.mountPoint), []);
  });

  await t.test('a write that does not listen cannot hold it up', async (t) => {
    const server = await serve(t, transport);
    const writing = server.sh('echo 1 > stubborn');
    await server.gaugesShow({ writesInProgress: 1 });
    t.equal(await server.signal('SIGTERM').ended, 0);
    t.same(await mountsBelow(server.mountPoint), []);
    t.match(await writing, { status: 1 });
  });

  await t.test('it notices when somebody else unmounts', async (t) => {
    const server = await serve(t, transport);
    t.match(await command('umount', [server.mountPoint]), { status: 0 });
    await server.heard('gone');
    t.equal(await server.ended, 3);
  });

  await t.test('after SIGKILL the next one detaches the dead mount and serves the same inode numbers', async (t) => {
    const first = await serve(t, transport);
    const numbers = await first.says('ls -di . many; stat -c %i echo changing-names');
    await first.signal('SIGKILL').ended;
    t.match(await first.sh('cat counter'), { stderr: 'not connected' }, 'the mount is dead');

    const second = new DemoServer(t, transport, first.mountPoint);
    await second.heard('ready');
    t.ok(second.said.some(({ level, sentence }) => level === 'warn' && String(sentence).includes('dead mount')));
    t.equal(await second.says('ls -di . many; stat -c %i echo changing-names'), numbers);
    t.equal((await mountsBelow(first.mountPoint)).length, 1, 'nothing is left below');
  });
});
