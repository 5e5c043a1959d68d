import { conformance, eventually, serve } from './fixture.js';
import { manyNames } from './demo-tree.js';
import { gap } from './transports.js';

conformance(async (t, transport) => {
  const server = await serve(t, transport);

  await t.test('a directory of 10,000 long names is listed whole, and each entry is there', async (t) => {
    t.strictSame((await server.says('ls -f many')).trimEnd().split('\n').sort(), ['.', '..', ...manyNames()].sort());
    t.equal(await server.says('ls -l many | grep -c "^-r--r--r--"'), '10000\n');
    t.equal(await server.says('cat many/*9999'), manyNames()[9999]);
  });

  await t.test('names may have spaces, other scripts, and 255 bytes', async (t) => {
    for (const name of ['with some spaces', 'größe 日本', 'n'.repeat(255)]) {
      await server.says(`echo "${name}" > "${name}"`);
      t.equal(await server.says(`cat "${name}"`), `${name}\n`);
    }
  });

  await t.test('a longer name is one that no file can have', async (t) => {
    t.match(await server.sh(`cat ${'n'.repeat(256)}`), { status: 1, stderr: 'File name too long' });
  });

  const utf8Only = gap(transport, 'names that are not UTF-8');
  await t.test('a name may be any bytes', { skip: utf8Only }, async (t) => {
    const name = String.raw`$'not UTF-8 \xff'`;
    t.equal(await server.says(`ls | LC_ALL=C grep -ac ${name}`), '1\n');
    await server.says(`echo bytes > ${name}`);
    t.equal(await server.says(`cat ${name}`), 'bytes\n');
  });

  const passesAll = utf8Only === false && `${transport} passes them`;
  await t.test('a name that is no UTF-8 does not spoil its directory', { skip: passesAll }, async (t) => {
    const names = (await server.says('ls')).split('\n');
    t.ok(names.includes('größe 日本'));
    t.notOk(names.some((name) => name.startsWith('not UTF-8')));
    await server.says('ls; ls');
    t.equal(server.said.filter(({ sentence }) => String(sentence).includes('not valid UTF-8')).length, 1, 'said once');
  });

  await t.test('what comes is there at once, what goes is gone within a second or so', async (t) => {
    t.match(await server.sh('cat changing/a'), { stderr: 'No such file' });
    await server.says('echo a b > changing-names');
    t.equal(await server.says('ls changing; cat changing/a changing/b'), 'a\nb\na\nb\n');
    await server.says('echo b c > changing-names');
    t.equal(await server.says('ls changing; cat changing/c'), 'b\nc\nc\n');
    t.match(await server.sh('cat changing/a'), { stderr: 'No such file' });
    await eventually('stat to miss it too', async () => (await server.sh('stat changing/a')).stderr !== '');
  });
});
