import { conformance, serve } from './fixture.js';
import { largeText } from './demo-tree.js';

conformance(async (t, transport) => {
  const server = await serve(t, transport);

  await t.test('cat gives the whole text, also of a file of 64 KiB and of an empty one', async (t) => {
    t.equal(await server.says('cat large'), largeText());
    t.equal(await server.says('cat empty'), '');
  });

  await t.test('a read gives the bytes at its offset, wherever it starts and ends', async (t) => {
    t.equal(await server.says('dd if=large bs=16 skip=100 count=1 status=none'), 'line 0000000100\n');
    t.equal(await server.says('dd if=large bs=999 status=none'), largeText());
    t.equal(await server.says('tail -c 16 large'), 'line 0000004095\n');
  });

  await t.test('a read at or past the end gives nothing', async (t) => {
    const counts = `
      const file = fs.openSync('large');
      print([65535, 65536, 65537, 2 ** 40].map((position) => fs.readSync(file, Buffer.alloc(10), 0, 10, position)));`;
    t.same(await server.node(counts), [1, 0, 0, 0]);
  });

  await t.test('what was opened once stays the same to its end; what is opened again is fresh', async (t) => {
    const first = Number(await server.says('cat counter'));
    t.equal(await server.says('dd if=counter bs=1 status=none'), `${first + 1}\n`);
    t.equal(await server.says('cat counter counter'), `${first + 2}\n${first + 3}\n`);
  });

  await t.test('a return to the start gives fresh text, as in kernfs', async (t) => {
    const rereads = `
      const file = fs.openSync('counter');
      const read = (position) => fs.readSync(file, buffer, 0, 64, position);
      const buffer = Buffer.alloc(64);
      const texts = [];
      for (let i = 0; i < 3; i++) texts.push(Number(buffer.subarray(0, read(0)).toString()));
      read(1);
      print(texts.map((text) => text - texts[0]));`;
    t.same(await server.node(rereads), [0, 1, 2]);
  });

  await t.test('a text that cannot be rendered fails the open', async (t) => {
    t.match(await server.sh('cat unreadable'), { status: 1, stderr: 'No such device' });
  });

  await t.test('what is not there, or is of the other kind, is refused as everywhere', async (t) => {
    t.match(await server.sh('cat missing'), { stderr: 'No such file or directory' });
    t.match(await server.sh('cat many/missing'), { stderr: 'No such file or directory' });
    t.match(await server.sh('cat many'), { stderr: 'Is a directory' });
    t.match(await server.sh('cat echo/more'), { stderr: 'Not a directory' });
    t.match(await server.sh('ls echo/'), { stderr: 'Not a directory' });
  });

  await t.test('stat tells type, permissions, owner, and size 0', async (t) => {
    t.equal(
      await server.says(`stat -c '%F|%A|%u:%g|%s|%h' echo many`),
      ['regular empty file|-rw-r--r--|0:0|0|1\n', 'directory|dr-xr-xr-x|0:0|0|1\n'].join(''),
    );
  });

  await t.test('the usual tools work: ls, find, grep, cp, wc, cmp, df', async (t) => {
    t.match(await server.says('ls -l'), /-r--r--r-- 1 root root 0 .* large/);
    t.match(await server.says('find . -maxdepth 1 -type f'), './counter');
    t.equal(await server.says('grep -r "line 0000000007" large journals'), 'large:line 0000000007\n');
    t.equal(await server.says('wc -c < large'), '65536\n');
    t.equal(
      await server.says('copy=$(mktemp) && cp large "$copy" && cmp large "$copy" && rm "$copy" && echo same'),
      'same\n',
    );
    t.match(await server.says('df . | tail -1'), 'coldpgs');
  });
});
