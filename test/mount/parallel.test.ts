import { conformance, eventually, serve } from './fixture.js';
import { largeText } from './demo-tree.js';

conformance(async (t, transport) => {
  const server = await serve(t, transport);

  /** Resolves when the slow file tells of that event. */
  async function happened(file: string, event: string): Promise<void> {
    await eventually(`${event} in ${file}`, async () => (await server.says(`cat ${file}`)).includes(event));
  }

  await t.test('a write that takes long holds up nobody else, not even readers of its own file', async (t) => {
    const writing = server.sh('echo long > slow/3000');
    await happened('slow/3000', 'begin long');
    await server.says('cat counter; ls -l; echo 1 > echo; echo 1 > slow/1');
    t.equal(await server.says('cat slow/3000'), 'begin long\n', 'the long write is still going on');
    t.match(await writing, { status: 0, stderr: '' });
    t.equal(await server.says('cat slow/3000'), 'begin long\nend long\n');
  });

  await t.test('writes to one file are applied one after the other', async (t) => {
    await server.says('for i in 1 2 3 4; do echo $i > slow/50 & done; wait');
    const events = (await server.says('cat slow/50')).trimEnd().split('\n');
    t.equal(events.length, 8);
    for (let i = 0; i < events.length; i += 2) t.equal(events[i + 1], events[i]?.replace('begin', 'end'));
  });

  await t.test('writes to different files go side by side', async (t) => {
    const writing = server.says('for file in 1000 1001 1002 1003; do echo x > slow/$file & done; wait');
    for (const file of [1000, 1001, 1002, 1003]) await happened(`slow/${file}`, 'begin');
    t.notMatch(await server.says('cat slow/1000 slow/1001 slow/1002 slow/1003'), 'end');
    await writing;
  });

  await t.test('64 clients at once all get what they asked for', async (t) => {
    const clients = Array.from({ length: 64 }, (_, i) =>
      server.says(`echo client ${i} > journals/${i}; cat journals/${i} large journals/${i}`),
    );
    for (const [i, text] of (await Promise.all(clients)).entries()) {
      const line = `"client ${i}\\n"\n`;
      t.equal(text, line + largeText() + line);
    }
  });

  await t.test('nothing stays open behind all this', async () => {
    await server.gaugesShow({ openFiles: 0, writesInProgress: 0 });
  });
});
