import { MOST_OPEN_FILES } from '../../src/tree/tree.js';
import { conformance, eventually, serve } from './fixture.js';

conformance(async (t, transport) => {
  const server = await serve(t, transport);

  await t.test('who opens 10,000 files and never reads gets as many as there may be, and then ENFILE', async (t) => {
    const opening = `
      const opened = [], errors = {};
      for (let i = 0; i < 10000; i++)
        try { opened.push(fs.openSync('large')); } catch (error) { errors[error.code] = (errors[error.code] ?? 0) + 1; }
      print([opened.length, errors]);`;
    const most = MOST_OPEN_FILES;
    t.same(await server.node(opening), [most, { ENFILE: 10_000 - most }]);
    await server.gaugesShow({ openFiles: 0 });
    t.equal(await server.says('cat empty; echo fine'), 'fine\n');
  });

  await t.test('a reader that is killed in the middle leaves nothing open', async () => {
    await server.inBackground(t, 'exec 3< large; head -c 100 <&3 > /dev/null; echo holding; exec tail -f /dev/null');
    await server.gaugesShow({ openFiles: 1 });
    await server.says(
      '(dd if=large bs=1 of=/dev/null status=none & sleep 0.1; kill -KILL $!; wait $! 2> /dev/null) || true',
    );
    await server.gaugesShow({ openFiles: 1 });
  });

  await t.test('a directory that is held open in the middle of its listing holds up nobody', async (t) => {
    await server.inBackground(t, 'exec 3< many; echo holding; exec tail -f /dev/null');
    t.equal(await server.says('ls many | wc -l'), '10000\n');
    await eventually('it to be listed in parts', async () => (await server.says('ls -f many | tail -1')) !== '');
  });
});
