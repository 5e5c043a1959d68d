import t from 'tap';
import { ColdpgsError } from '../../../src/errors.js';
import { MOST_OPEN_FILES, Tree } from '../../../src/tree/tree.js';
import { directory, readOnly, writable } from './nodes.js';

const O_RDONLY = 0;
const O_WRONLY = 1;
const O_RDWR = 2;
const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;

const root = { uid: 0, gid: 0 };

function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

/** A tree with one file, `/file`, that counts how often it was rendered and keeps what it was given. */
function treeOfOne() {
  const writes: string[] = [];
  let renders = 0;
  const file = writable('file', (text) => void writes.push(text));
  const tree = new Tree(directory({ file: { ...file, render: () => `rendered ${++renders}\n` } }), root);
  return { tree, writes };
}

void t.test('stat', async (t) => {
  const changing = { ...directory({ file: readOnly('changing file', () => '') }), identity: 'memcgs', changing: true };
  const nodes = directory({ file: { ...readOnly('file', () => 'some text'), mode: 0o400 }, memcgs: changing });
  const tree = new Tree(nodes, { uid: 7, gid: 8 });

  t.match(tree.stat('/file'), { mode: 0o100400, nlink: 1, uid: 7, gid: 8, size: 0, changing: false });
  t.match(tree.stat('/'), { mode: 0o040555, changing: false });
  t.match(tree.stat('/memcgs'), { mode: 0o040555, changing: true });
  t.match(tree.stat('/memcgs/file'), { changing: true }, 'everything below what changes may go, too');
  t.equal(tree.stat('/file').time, tree.stat('/').time, 'all is as old as the tree');

  t.throws(() => tree.stat('/missing'), { code: 'NO_SUCH_FILE', errno: 'ENOENT' });
  t.throws(() => tree.stat('/missing/file'), { code: 'NO_SUCH_FILE', errno: 'ENOENT' });
  t.throws(() => tree.stat('/file/more'), { code: 'NO_SUCH_FILE', errno: 'ENOTDIR' });
});

void t.test('inode numbers come from the identity alone', async (t) => {
  const files = Array.from(
    { length: 20_000 },
    (_, i) => [String(i), readOnly(`memcg/${i}/threshold`, () => '')] as const,
  );
  const tree = new Tree(directory(Object.fromEntries(files)), root);
  const numbers = files.map(([name]) => tree.stat(`/${name}`).ino);

  t.equal(new Set(numbers).size, numbers.length, 'none twice');
  t.ok(numbers.every((number) => Number.isInteger(number) && number > 0 && number < 2 ** 48));
  t.ok(
    new Set(numbers.map((number) => number % 2 ** 32)).size > numbers.length - 5,
    'the low 32 bits alone hardly ever',
  );

  const moved = new Tree(directory({ other: readOnly('memcg/1/threshold', () => 'different') }), { uid: 1, gid: 1 });
  t.equal(moved.stat('/other').ino, numbers[1]);
});

void t.test('list', async (t) => {
  const tree = new Tree(directory({ b: readOnly('b', () => ''), a: directory({}) }), root);
  t.same(tree.list('/'), ['.', '..', 'b', 'a']);
  t.same(tree.list('/a'), ['.', '..']);
  t.throws(() => tree.list('/b'), { name: 'ColdpgsError', errno: 'ENOTDIR' });
  t.throws(() => tree.list('/c'), { name: 'ColdpgsError', errno: 'ENOENT' });
});

void t.test('open', async (t) => {
  const unrenderable = (): string => {
    throw new ColdpgsError('MEMCG_GONE', 'ENODEV', 'gone');
  };
  const tree = new Tree(
    directory({
      readable: readOnly('readable', () => 'text'),
      writable: writable('writable', () => undefined),
      gone: { ...writable('gone', () => undefined), render: unrenderable },
    }),
    root,
  );

  await t.test('gives small positive handles, each another one', async (t) => {
    const handles = [
      tree.open('/readable', O_RDONLY),
      tree.open('/readable', O_RDONLY),
      tree.open('/writable', O_RDWR),
    ];
    t.same(handles, [1, 2, 3]);
  });

  await t.test('refuses to write what can only be read, to root as well', async (t) => {
    for (const flags of [O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC, O_WRONLY | O_APPEND])
      t.throws(() => tree.open('/readable', flags), { code: 'NOT_WRITABLE', errno: 'EACCES' });
  });

  await t.test('refuses what is not there and directories', async (t) => {
    t.throws(() => tree.open('/missing', O_RDONLY), { name: 'ColdpgsError', errno: 'ENOENT' });
    t.throws(() => tree.open('/', O_RDONLY), { name: 'ColdpgsError', errno: 'EISDIR' });
  });

  await t.test('renders only what is to be read, and fails when that fails', async (t) => {
    t.throws(() => tree.open('/gone', O_RDONLY), { code: 'MEMCG_GONE', errno: 'ENODEV' });
    t.ok(tree.open('/gone', O_WRONLY));
  });
});

void t.test('a bounded number of files can be open; closing one makes room', async (t) => {
  const { tree } = treeOfOne();
  const handles = Array.from({ length: MOST_OPEN_FILES }, () => tree.open('/file', O_RDONLY));
  t.throws(() => tree.open('/file', O_RDONLY), { code: 'TOO_MANY_OPEN', errno: 'ENFILE' });
  const ofEarlier = (): void => tree.adopt(2 ** 24, tree.find('/file'), O_RDONLY, 100);
  t.throws(ofEarlier, { code: 'TOO_MANY_OPEN', errno: 'ENFILE' }, 'those that an earlier process opened count as well');
  tree.release(handles[0] ?? 0);
  t.notOk(handles.includes(tree.open('/file', O_RDONLY)));
});

void t.test('read', async (t) => {
  await t.test('shows the text as it was at open, in whatever pieces', async (t) => {
    const { tree } = treeOfOne();
    const first = tree.open('/file', O_RDONLY);
    const second = tree.open('/file', O_RDONLY);
    t.equal(text(tree.read(second, 0, 100)), 'rendered 2\n');
    t.equal(text(tree.read(first, 0, 4)), 'rend');
    t.equal(text(tree.read(first, 4, 100)), 'ered 1\n');
    t.equal(tree.read(first, 11, 100).length, 0, 'nothing at the end');
    t.equal(tree.read(first, 2 ** 40, 100).length, 0, 'nor far behind it');
  });

  await t.test('renders anew after a return to the start', async (t) => {
    const { tree } = treeOfOne();
    const handle = tree.open('/file', O_RDONLY);
    t.equal(text(tree.read(handle, 0, 100)), 'rendered 1\n');
    t.equal(text(tree.read(handle, 0, 4)), 'rend');
    t.equal(text(tree.read(handle, 9, 100)), '2\n');
    t.equal(text(tree.read(handle, 0, 100)), 'rendered 3\n');
  });

  await t.test('gives every character as one byte', async (t) => {
    const tree = new Tree(directory({ file: readOnly('file', () => '\0a\x80\xff') }), root);
    t.same([...tree.read(tree.open('/file', O_RDONLY), 0, 100)], [0, 0x61, 0x80, 0xff]);
  });

  await t.test('needs a handle that is open for reading', async (t) => {
    const { tree } = treeOfOne();
    const writing = tree.open('/file', O_WRONLY);
    t.throws(() => tree.read(writing, 0, 1), { name: 'ColdpgsError', errno: 'EBADF' });
    t.throws(() => tree.read(99, 0, 1), { name: 'ColdpgsError', errno: 'EBADF' });
    const reading = tree.open('/file', O_RDONLY);
    tree.release(reading);
    t.throws(() => tree.read(reading, 0, 1), { name: 'ColdpgsError', errno: 'EBADF' });
  });
});

void t.test('write', async (t) => {
  await t.test('applies each write once and whole, and answers with its length', async (t) => {
    const { tree, writes } = treeOfOne();
    const handle = tree.open('/file', O_WRONLY | O_APPEND | O_TRUNC);
    t.equal(await tree.write(handle, bytes('1\n')), 2);
    t.equal(await tree.write(handle, bytes('\0\xff')), 2);
    t.same(writes, ['1\n', '\0\xff']);
  });

  await t.test('has copied the bytes when it returns: the buffer belongs to the transport', async (t) => {
    const { tree, writes } = treeOfOne();
    const handle = tree.open('/file', O_WRONLY);
    const buffer = bytes('first');
    const writing = [tree.write(handle, buffer), tree.write(handle, buffer)];
    buffer.fill(0);
    await Promise.all(writing);
    t.same(writes, ['first', 'first']);
  });

  await t.test('takes a page and no more; nothing is nothing', async (t) => {
    const { tree, writes } = treeOfOne();
    const handle = tree.open('/file', O_WRONLY);
    t.equal(await tree.write(handle, new Uint8Array(4096)), 4096);
    await t.rejects(tree.write(handle, new Uint8Array(4097)), { code: 'WRITE_TOO_LONG', errno: 'EINVAL' });
    t.equal(await tree.write(handle, new Uint8Array(0)), 0);
    t.same(writes, ['\0'.repeat(4096)]);
  });

  await t.test('fails as apply fails', async (t) => {
    const refuse = (): never => {
      throw new ColdpgsError('BAD_VALUE', 'EINVAL', 'no');
    };
    const tree = new Tree(directory({ file: writable('file', refuse) }), root);
    const handle = tree.open('/file', O_WRONLY);
    await t.rejects(tree.write(handle, bytes('1')), { code: 'BAD_VALUE' });
    await t.rejects(tree.write(handle, bytes('2')), { code: 'BAD_VALUE' }, 'also the next one');
  });

  await t.test('needs a handle that is open for writing', async (t) => {
    const { tree } = treeOfOne();
    await t.rejects(tree.write(tree.open('/file', O_RDONLY), bytes('1')), { name: 'ColdpgsError', errno: 'EBADF' });
    await t.rejects(tree.write(99, bytes('1')), { name: 'ColdpgsError', errno: 'EBADF' });
  });
});

void t.test('truncate does nothing to what can be written and is refused where not', async (t) => {
  const { tree, writes } = treeOfOne();
  tree.truncate('/file');
  t.same(writes, []);
  const readable = new Tree(directory({ file: readOnly('file', () => '') }), root);
  t.throws(() => readable.truncate('/file'), { name: 'ColdpgsError', errno: 'EACCES' });
  t.throws(() => readable.truncate('/'), { name: 'ColdpgsError', errno: 'EISDIR' });
});

void t.test('close ends the writes and leaves the reading', async (t) => {
  const endless = writable('endless', async (_text, { signal }) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    throw new ColdpgsError('CANCELLED', 'EINTR', 'interrupted');
  });
  const tree = new Tree(directory({ endless }), root);
  const handle = tree.open('/endless', O_RDWR);
  const writing = tree.write(handle, bytes('1'));
  t.equal(tree.writesInProgress, 1);
  await Promise.all([t.rejects(writing, { name: 'ColdpgsError', errno: 'EINTR' }), tree.close()]);
  t.equal(tree.writesInProgress, 0);
  await t.rejects(tree.write(handle, bytes('2')), { code: 'CANCELLED', errno: 'ENODEV' });
  t.equal(text(tree.read(handle, 0, 100)), 'nothing\n');
  t.equal(tree.openFiles, 1);
  tree.release(handle);
  t.equal(tree.openFiles, 0);
});
