import fc from 'fast-check';
import { constants } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { ColdpgsError } from '../../../../src/errors.js';
import type { ControlFile } from '../../../../src/files/control-file.js';
import { fuse_attr, fuse_entry_out, opcode } from '../../../../src/fuse/dev-fuse/protocol.js';
import { silentLog } from '../../../../src/log.js';
import { Tree } from '../../../../src/tree/tree.js';
import { directory, readOnly, writable } from '../../tree/nodes.js';
import { demo, root } from './demo-tree.js';
import { after } from './earlier-process.js';
import { fields, KernelSide, name, openIn, pollIn, readIn, releaseIn, request, writeIn } from './kernel-side.js';

const { EACCES, EINTR, EIO, EISDIR, ENOENT, ENOSYS, ENOTDIR, EPERM, EPROTO, ESTALE } = constants.errno;
const O_RDONLY = 0;
const O_WRONLY = 1;
const POLLPRI = 2;

void t.test('INIT agrees on a version and on what is wanted of what the kernel has', async (t) => {
  const kernel = new KernelSide(demo());
  const { error, body } = kernel.answer(opcode.FUSE_INIT, {
    body: fields([32, 7], [32, 45], [32, 0], [32, 0xffff_ffff]),
  });
  t.equal(error, 0);
  t.same([body.readUInt32LE(0), body.readUInt32LE(4)], [7, 40], 'the lower of the two');
  t.equal(body.readUInt32LE(12), (1 << 3) | (1 << 5) | (1 << 13) | (1 << 14) | (1 << 18));
  t.ok(body.readUInt32LE(20) > 4096, 'a write that is too long arrives as one');
  t.equal(body.readUInt16LE(16), 0xffff, 'no RELEASE is held back: files would be opened faster than they are closed');
  const old = kernel.answer(opcode.FUSE_INIT, { body: fields([32, 7], [32, 30], [32, 0], [32, 0]) });
  t.equal(old.error, -EPROTO);
});

void t.test('LOOKUP and GETATTR tell of a node, and how long that may be remembered', async (t) => {
  const kernel = new KernelSide(demo());
  const { body } = kernel.answer(opcode.FUSE_LOOKUP, { body: name('text') });
  const attributes = body.subarray(fuse_entry_out.attr);
  t.equal(body.length, 128);
  t.equal(body.readBigUInt64LE(0), attributes.readBigUInt64LE(fuse_attr.ino), 'the node id is the inode number');
  t.equal(attributes.readUInt32LE(fuse_attr.mode), 0o100444);
  t.same([attributes.readUInt32LE(fuse_attr.uid), attributes.readUInt32LE(fuse_attr.gid)], [5, 6]);
  t.equal(attributes.readBigUInt64LE(8), 0n, 'size 0');
  t.same([body.readBigUInt64LE(16), body.readUInt32LE(32)], [1n, 0], 'a second for what stays');
  const memcg = kernel.answer(opcode.FUSE_LOOKUP, { nodeId: kernel.lookup('memcgs'), body: name('memcg') }).body;
  t.same([memcg.readBigUInt64LE(16), memcg.readUInt32LE(32)], [0n, 500_000_000], 'half a second for what goes');
  const again = kernel.answer(opcode.FUSE_GETATTR, { nodeId: kernel.lookup('text'), body: Buffer.alloc(16) }).body;
  t.same(again.subarray(16), attributes);
});

void t.test('what is not there may be remembered, but not where it may come', async (t) => {
  const kernel = new KernelSide(demo());
  const fixed = kernel.answer(opcode.FUSE_LOOKUP, { body: name('missing') });
  t.same([fixed.error, fixed.body.readBigUInt64LE(0), fixed.body.readBigUInt64LE(16)], [0, 0n, 1n]);
  const changing = kernel.answer(opcode.FUSE_LOOKUP, { nodeId: kernel.lookup('memcgs'), body: name('missing') });
  t.equal(changing.error, -ENOENT);
});

void t.test('a node id means the same to every process; one that no node has is stale', async (t) => {
  const id = new KernelSide(demo()).lookup('memcgs/memcg/file');
  const other = new KernelSide(demo(1));
  const handle = other.open(id);
  t.equal(other.read(id, handle), 'of a memcg\n');
  t.equal(other.answer(opcode.FUSE_GETATTR, { nodeId: 12_345, body: Buffer.alloc(16) }).error, -ESTALE);
});

void t.test(
  'a file of a memcg that is gone is stale to who opens it: the kernel looks for another at its path',
  async (t) => {
    let memcg: 'first' | 'second' | undefined = 'first';
    const file = (inode: string): ControlFile => ({
      ...writable(`${inode} file`, () => undefined),
      render: () => {
        if (memcg !== inode) throw new ColdpgsError('MEMCG_GONE', 'ENOENT', 'removed');
        return `of the ${inode}\n`;
      },
    });
    const memcgs = { ...directory({}), identity: 'memcgs', changing: true, child: () => memcg && file(memcg) };
    const kernel = new KernelSide(new Tree(directory({ memcgs }), root));
    const first = kernel.lookup('memcgs/file');
    t.equal(kernel.read(first, kernel.open(first)), 'of the first\n');
    memcg = 'second';
    for (const flags of [O_RDONLY, O_WRONLY])
      t.equal(kernel.answer(opcode.FUSE_OPEN, { nodeId: first, body: openIn(flags) }).error, -ESTALE);
    const second = kernel.lookup('memcgs/file');
    t.equal(kernel.read(second, kernel.open(second)), 'of the second\n');
    memcg = undefined;
    t.equal(kernel.answer(opcode.FUSE_OPEN, { nodeId: second, body: openIn(O_WRONLY) }).error, -ESTALE);
  },
);

void t.test('what the kernel has forgotten is not kept', async (t) => {
  const kernel = new KernelSide(demo());
  const [text, noticedId] = [kernel.lookup('text'), kernel.lookup('noticed')];
  kernel.lookup('text');
  t.match(kernel.session.gauges(), { nodesKnown: 2 });
  kernel.ask(opcode.FUSE_FORGET, { nodeId: text, body: fields([64, 1]) });
  t.match(kernel.session.gauges(), { nodesKnown: 2 }, 'it was looked up twice');
  kernel.ask(opcode.FUSE_BATCH_FORGET, {
    body: fields([32, 2], [32, 0], [64, text], [64, 1], [64, noticedId], [64, 1]),
  });
  t.match(kernel.session.gauges(), { nodesKnown: 0 });
});

void t.test('READ gives what was rendered at OPEN; RELEASE gives the handle back', async (t) => {
  const tree = demo();
  const kernel = new KernelSide(tree);
  const nodeId = kernel.lookup('text');
  const handle = kernel.open(nodeId);
  t.equal(kernel.read(nodeId, handle), 'some text\n');
  t.equal(kernel.read(nodeId, handle, 5, 2), 'te');
  t.equal(kernel.read(nodeId, handle, 10), '');
  t.equal(tree.openFiles, 1);
  t.equal(kernel.answer(opcode.FUSE_RELEASE, { nodeId, body: releaseIn(handle) }).error, 0);
  t.equal(tree.openFiles, 0);
  const closed = kernel.answer(opcode.FUSE_READ, { nodeId, body: readIn(handle, 0, 10) });
  t.equal(closed.error, -constants.errno.EBADF);
});

void t.test('what cannot be done is a negative errno', async (t) => {
  const kernel = new KernelSide(demo());
  const text = kernel.lookup('text');
  const cases: [number, Parameters<KernelSide['answer']>[1], number][] = [
    [opcode.FUSE_OPEN, { nodeId: text, body: openIn(O_WRONLY) }, EACCES],
    [opcode.FUSE_OPEN, { nodeId: 1, body: openIn(0) }, EISDIR],
    [opcode.FUSE_OPENDIR, { nodeId: text, body: openIn(0) }, ENOTDIR],
    [opcode.FUSE_LOOKUP, { nodeId: text, body: name('below') }, ENOTDIR],
    [opcode.FUSE_SETATTR, { nodeId: text, body: Buffer.concat([fields([32, 8]), Buffer.alloc(84)]) }, EACCES],
    [opcode.FUSE_SETATTR, { nodeId: text, body: Buffer.concat([fields([32, 1]), Buffer.alloc(84)]) }, EPERM],
    [opcode.FUSE_MKDIR, { body: Buffer.concat([fields([32, 0o755], [32, 0]), name('made')]) }, EPERM],
    [opcode.FUSE_RMDIR, { body: name('text') }, EPERM],
    [opcode.FUSE_CREATE, { body: name('made') }, EACCES],
    [opcode.FUSE_FLUSH, { body: Buffer.alloc(24) }, ENOSYS],
    [opcode.FUSE_GETXATTR, { body: Buffer.alloc(24) }, ENOSYS],
    [12_345, {}, ENOSYS],
  ];
  for (const [code, asked, errno] of cases) {
    const unique = kernel.ask(code, asked);
    await turn();
    t.equal(kernel.replyTo(unique)?.error, -errno, `opcode ${code}`);
  }
});

void t.test('READDIR and READDIRPLUS list a directory in parts, each name once', async (t) => {
  const names = Array.from({ length: 100 }, (_, index) => `name ${index} ${'x'.repeat(index % 9)}`);
  const entries = Object.fromEntries(names.map((one) => [one, readOnly(one, () => '')]));
  const kernel = new KernelSide(new Tree(directory(entries), root));
  for (const [code, head] of [
    [opcode.FUSE_READDIR, 0],
    [opcode.FUSE_READDIRPLUS, 128],
  ] as const) {
    const handle = kernel.answer(opcode.FUSE_OPENDIR, { body: openIn(0) }).body.readBigUInt64LE(0);
    const listed: string[] = [];
    for (let offset = 0; ;) {
      const { body } = kernel.answer(code, { body: readIn(handle, offset, 1024) });
      if (body.length === 0) break;
      t.ok(body.length <= 1024);
      for (let at = 0; at < body.length;) {
        const length = body.readUInt32LE(at + head + 16);
        listed.push(body.toString('latin1', at + head + 24, at + head + 24 + length));
        offset = Number(body.readBigUInt64LE(at + head + 8));
        t.equal(body.readUInt32LE(at + head + 20), listed.length <= 2 ? 4 : 8, 'directories and files');
        at += head + 24 + Math.ceil(length / 8) * 8;
      }
    }
    t.same(listed, ['.', '..', ...names]);
    kernel.answer(opcode.FUSE_RELEASEDIR, { body: releaseIn(handle) });
  }
  t.match(kernel.session.gauges(), { nodesKnown: 100, openDirectories: 0 }, 'READDIRPLUS counts as lookups');
});

void t.test('POLL: news once per change, and a wake-up for who waits', async (t) => {
  const kernel = new KernelSide(demo());
  const nodeId = kernel.lookup('noticed');
  const [reader, writer] = [kernel.open(nodeId), kernel.open(nodeId, O_WRONLY)];
  const poll = (wake: boolean) =>
    kernel.answer(opcode.FUSE_POLL, { nodeId, body: pollIn(reader, 42, wake) }).body.readUInt32LE(0) & POLLPRI;
  const write = async (text: string) => {
    kernel.ask(opcode.FUSE_WRITE, { nodeId, body: writeIn(writer, text) });
    await turn();
  };
  const wakeUps = () => kernel.replies.filter(({ unique, error }) => unique === 0n && error === 1);

  t.equal(poll(true), 0);
  await write('nothing\n');
  t.same([wakeUps().length, poll(true)], [0, 0], 'the same again is no change');
  await write('news\n');
  await write('more news\n');
  t.same(
    wakeUps().map(({ body }) => body),
    [fields([64, 42])],
    'once, until it waits again',
  );
  t.equal(poll(true), POLLPRI);
  t.equal(kernel.read(nodeId, reader), 'more news\n');
  t.equal(poll(false), 0, 'it has been read');

  const late = kernel.open(nodeId);
  await write('between open and poll\n');
  const { body } = kernel.answer(opcode.FUSE_POLL, { nodeId, body: pollIn(late, 43, true) });
  t.equal(body.readUInt32LE(0) & POLLPRI, POLLPRI);
});

void t.test('after another process: the kernel is asked for what that one read, and pollers look again', async (t) => {
  const kernel = new KernelSide(demo(1), after({}));
  t.ok(kernel.session.resume());
  t.match(kernel.replies, [
    { unique: 0n, error: 1, body: fields([64, 42]) },
    { unique: 0n, error: 7 },
  ]);
});

void t.test(
  'after another process, on a kernel that cannot send again: what that one had in hand is answered',
  async (t) => {
    const { continuity, told } = after({ 10: { count: 3 }, 12: 'begun', 14: 'waiting' });
    const kernel = new KernelSide(demo(1), { continuity: { ...continuity, inheritedTaken: 16 }, resends: false });
    t.notOk(kernel.session.resume());
    const errnoOf = (unique: bigint) => kernel.replyTo(unique)?.error;
    t.same([10n, 12n, 14n, 16n].map(errnoOf), [0, -EINTR, -EIO, -EIO]);
    t.equal(errnoOf(18n), -EIO, 'also the next one, which it may have read before it died, without noting it');

    told.length = 0;
    const nodeId = kernel.lookup('noticed');
    const handle = kernel.open(nodeId, 1);
    const written = kernel.ask(opcode.FUSE_WRITE, { nodeId, body: writeIn(handle, 'new'), unique: 100n });
    await turn();
    t.equal(kernel.replyTo(written)?.error, 0);
    t.same(told.slice(-4), ['taken 100', 'waiting 100', 'ended 100 {"count":3}', 'answered 100']);
    const made = Buffer.concat([fields([32, 0o755], [32, 0]), name('made')]);
    kernel.ask(opcode.FUSE_MKDIR, { body: made, unique: 102n });
    t.same(told.slice(-2), ['taken 102', 'waiting 102']);
    await turn();
    t.equal(told.at(-1), 'answered 102');
  },
);

void t.test('after another process: its handles work on', async (t) => {
  const before = new KernelSide(demo());
  const nodeId = before.lookup('text');
  const handle = before.open(nodeId);
  const tree = demo(1);
  const kernel = new KernelSide(tree, after({}));
  t.not(kernel.open(nodeId), handle, 'none of its own is the same');
  t.equal(kernel.read(nodeId, handle), 'some text\n');
  t.equal(kernel.read(nodeId, handle, 10), '');
  kernel.answer(opcode.FUSE_RELEASE, { nodeId, body: releaseIn(handle) });
  t.equal(tree.openFiles, 1);
});

void t.test('after another process: the text ends where it ended for who had begun to read it', async (t) => {
  const growing = (text: string) => new Tree(directory({ text: readOnly('text', () => text) }), root);
  const before = new KernelSide(growing('1\n'));
  const nodeId = before.lookup('text');
  const handle = before.open(nodeId);
  const kernel = new KernelSide(growing('1000\n'), after({}));
  t.equal(kernel.read(nodeId, handle, 2), '');
  t.equal(kernel.read(nodeId, handle, 0), '1000\n', 'who returns to the start gets it all');
});

void t.test('a malformed request gets EIO and a line in the log; one without a header only the line', async (t) => {
  const lines: string[] = [];
  const log = { ...silentLog, warn: (_details: object, sentence: string) => void lines.push(sentence) };
  const kernel = new KernelSide(demo(), { log });
  t.equal(kernel.answer(opcode.FUSE_OPEN, { body: Buffer.alloc(3) }).error, -EIO);
  kernel.give(Buffer.alloc(12));
  kernel.give(request(opcode.FUSE_FORGET, { body: Buffer.alloc(3) }));
  t.equal(kernel.replies.length, 1);
  t.match(lines, [/malformed/, /without a header/, /malformed/]);
});

void t.test('any bytes whatever: one answer each where one is waited for, and the session goes on', async (t) => {
  const tree = demo();
  const kernel = new KernelSide(tree);
  const ids = ['text', 'noticed', 'memcgs', 'memcgs/memcg/file', 'defective'].map((path) => kernel.lookup(path));
  const someOpcode = fc.oneof(
    fc.constantFrom(...Object.values(opcode)),
    fc.nat(60),
    fc.integer({ min: 0, max: 0xffff_ffff }),
  );
  const asked = fc.record({
    code: someOpcode,
    nodeId: fc.oneof(fc.constantFrom(...ids), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
    body: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ minLength: 40, maxLength: 9000 })),
    length: fc.option(fc.nat(10_000)),
  });
  const unanswered = new Set<number>([opcode.FUSE_FORGET, opcode.FUSE_BATCH_FORGET, opcode.FUSE_INTERRUPT]);
  const expected = new Map<bigint, number>();
  let unique = 1_000_000n;
  const property = fc.property(asked, ({ code, nodeId, body, length }) => {
    unique += 2n;
    const bytes = request(code, { nodeId, body: Buffer.from(body), unique });
    if (length !== null) bytes.writeUInt32LE(length, 0);
    expected.set(unique, unanswered.has(code) ? 0 : 1);
    kernel.give(bytes);
  });
  fc.assert(property, { numRuns: 3000 });
  await turn();
  await tree.close();
  await turn();
  const answers = new Map<bigint, number>();
  for (const reply of kernel.replies) answers.set(reply.unique, (answers.get(reply.unique) ?? 0) + 1);
  const wrong = [...expected].filter(([one, count]) => (answers.get(one) ?? 0) !== count);
  t.same(wrong, []);
  t.equal(kernel.read(ids[0] ?? 0n, kernel.open(ids[0] ?? 0n)), 'some text\n');
});
