import { constants } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { opcode } from '../../../../src/fuse/dev-fuse/protocol.js';
import { silentLog } from '../../../../src/log.js';
import { Tree } from '../../../../src/tree/tree.js';
import { directory } from '../../tree/nodes.js';
import { demo, noticed, root } from './demo-tree.js';
import { after } from './earlier-process.js';
import { fields, KernelSide, writeIn } from './kernel-side.js';

const { EINTR, EINVAL } = constants.errno;
const O_WRONLY = 1;

void t.test('WRITE is answered when its effect is done, with its length or its errno', async (t) => {
  const lines: object[] = [];
  const log = { ...silentLog, info: (details: object) => void lines.push(details) };
  const tree = new Tree(directory({ noticed: noticed('noticed'), refusing: demo().find('/refusing').node }), root, {
    log,
  });
  const kernel = new KernelSide(tree);
  const nodeId = kernel.lookup('noticed');
  const handle = kernel.open(nodeId, O_WRONLY);
  const body = writeIn(handle, 'news\n');
  const unique = kernel.ask(opcode.FUSE_WRITE, { nodeId, body, uid: 1000, pid: 77 });
  body.fill(0);
  await turn();
  t.same(kernel.replyTo(unique)?.body, fields([32, 5], [32, 0]));
  t.equal(kernel.read(nodeId, kernel.open(nodeId)), 'news\n');

  const refusing = kernel.lookup('refusing');
  const refused = writeIn(kernel.open(refusing, O_WRONLY), 'x'.repeat(100));
  const second = kernel.ask(opcode.FUSE_WRITE, { nodeId: refusing, body: refused, uid: 1001, pid: 78 });
  await turn();
  t.equal(kernel.replyTo(second)?.error, -EINVAL);
  t.match(lines, [
    { path: '/noticed', uid: 1000, pid: 77, text: '"news\\n"' },
    { path: '/refusing', uid: 1001, pid: 78, errno: 'EINVAL', text: `"${'x'.repeat(40)}..."` },
  ]);
});

void t.test('INTERRUPT ends the write that it names, and gets no answer itself', async (t) => {
  const kernel = new KernelSide(demo());
  const nodeId = kernel.lookup('slow');
  const unique = kernel.ask(opcode.FUSE_WRITE, { nodeId, body: writeIn(kernel.open(nodeId, O_WRONLY), '1') });
  await turn();
  t.equal(kernel.replyTo(unique), undefined);
  const before = kernel.replies.length;
  kernel.ask(opcode.FUSE_INTERRUPT, { body: fields([64, 999]) });
  t.equal(kernel.replyTo(unique), undefined, 'another one was meant');
  kernel.ask(opcode.FUSE_INTERRUPT, { body: fields([64, unique]) });
  await turn();
  t.equal(kernel.replyTo(unique)?.error, -EINTR);
  t.equal(kernel.replies.length, before + 1);
});

void t.test('after another process: a write that it ended is answered, not done again', async (t) => {
  const { continuity, told } = after({ 10: { count: 3 }, 12: { errno: EINVAL }, 14: 'begun' });
  const lines: object[] = [];
  const log = { ...silentLog, warn: (details: object) => void lines.push(details) };
  const tree = new Tree(directory({ noticed: noticed('noticed') }), root, { log, incarnation: 1 });
  const kernel = new KernelSide(tree, { continuity });
  const nodeId = kernel.lookup('noticed');
  const handle = kernel.open(nodeId, O_WRONLY);
  const resent = (unique: bigint) => {
    kernel.ask(opcode.FUSE_WRITE, { nodeId, body: writeIn(handle, 'new'), unique: unique | 0x8000_0000_0000_0000n });
    return kernel.replyTo(unique | 0x8000_0000_0000_0000n);
  };
  t.match(resent(10n), { error: 0, body: fields([32, 3], [32, 0]) });
  t.match(resent(12n), { error: -EINVAL });
  t.match(resent(14n), { error: -EINTR }, 'cut off in the middle: what is done is done');
  t.equal(kernel.read(nodeId, kernel.open(nodeId)), 'nothing\n');
  t.equal(resent(16n), undefined);
  await turn();
  t.match(kernel.replies.at(-1), { error: 0 }, 'what it had not begun is done now');
  t.equal(kernel.read(nodeId, kernel.open(nodeId)), 'new');
  t.match(lines, [{ path: '/noticed', errno: 'EINTR', text: '"new"' }], 'who was cut off is in the log');
  t.same(told, ['answered 10', 'answered 12', 'answered 14', 'ended 16 {"count":3}', 'answered 16']);
});

void t.test('a number that an earlier process used means nothing without the mark of a repetition', async (t) => {
  const kernel = new KernelSide(demo(1), after({ 10: { count: 3 } }));
  const nodeId = kernel.lookup('noticed');
  kernel.ask(opcode.FUSE_WRITE, { nodeId, body: writeIn(kernel.open(nodeId, O_WRONLY), 'new'), unique: 10n });
  await turn();
  t.equal(kernel.read(nodeId, kernel.open(nodeId)), 'new');
});
