import t from 'tap';
import { ColdpgsError } from '../../../src/errors.js';
import { handlersFor } from '../../../src/fuse/handlers.js';
import { silentLog } from '../../../src/log.js';
import { Tree } from '../../../src/tree/tree.js';
import { directory, readOnly, writable } from '../tree/nodes.js';

const O_RDONLY = 0;
const O_WRONLY = 1;
const EIO = 5;
const EINVAL = 22;

const tree = new Tree(
  directory({
    text: readOnly('text', () => 'some text\n'),
    'gr\xc3\xb6\xc3\x9fe': readOnly('größe', () => ''),
    'not UTF-8 \xff': readOnly('not UTF-8', () => ''),
    defective: readOnly('defective', () => {
      throw new TypeError('a defect');
    }),
    refusing: writable('refusing', (text) => {
      if (text !== 'please') throw new ColdpgsError('BAD_VALUE', 'EINVAL', 'no');
    }),
  }),
  { uid: 0, gid: 0 },
);
const handlers = handlersFor(tree, silentLog);

/** What a handler replies with; fails when it replies twice. */
function replyTo<Reply extends unknown[]>(ask: (reply: (...values: Reply) => void) => void): Promise<Reply> {
  return new Promise((resolve, reject) => {
    let replied = false;
    ask((...values) => (replied ? reject(new Error('replied twice')) : ((replied = true), resolve(values))));
  });
}

void t.test('a success is 0 and the value, for read and write a count', async (t) => {
  t.match(await replyTo((reply) => handlers.getattr('/text', reply)), [0, { mode: 0o100444, size: 0 }]);
  t.match(await replyTo((reply) => handlers.getattr('/größe', reply)), [0, { mode: 0o100444 }], 'paths are UTF-8');
  const [, handle = 0] = await replyTo<[number, number?]>((reply) => handlers.open('/text', O_RDONLY, reply));
  const buffer = Buffer.alloc(100);
  t.same(await replyTo((reply) => handlers.read('/text', handle, buffer, 100, 5, reply)), [5]);
  t.equal(buffer.toString('utf8', 0, 5), 'text\n');
  t.same(await replyTo((reply) => handlers.read('/text', handle, buffer, 100, 10, reply)), [0]);
  const [, writing = 0] = await replyTo<[number, number?]>((reply) => handlers.open('/refusing', O_WRONLY, reply));
  t.same(await replyTo((reply) => handlers.write('/refusing', writing, Buffer.from('please'), 6, 77, reply)), [6]);
});

void t.test('whatever is thrown is a negative errno', async (t) => {
  t.same(await replyTo((reply) => handlers.open('/defective', O_RDONLY, reply)), [-EIO]);
  t.same(await replyTo((reply) => handlers.read('/text', 99, Buffer.alloc(1), 1, 0, reply)), [-9]);
  t.same(await replyTo((reply) => handlers.write('/text', 99, Buffer.alloc(1), 1, 0, reply)), [-9]);
  const [, writing = 0] = await replyTo<[number, number?]>((reply) => handlers.open('/refusing', O_WRONLY, reply));
  t.same(await replyTo((reply) => handlers.write('/refusing', writing, Buffer.from('1'), 1, 0, reply)), [-EINVAL]);
});

void t.test('names that are not UTF-8 are left out, which is said once', async (t) => {
  const lines: string[] = [];
  const handlers = handlersFor(tree, { ...silentLog, warn: (_details, sentence) => void lines.push(sentence) });
  const listed = [0, ['.', '..', 'text', 'größe', 'defective', 'refusing']];
  t.same(await replyTo((reply) => handlers.readdir('/', reply)), listed);
  t.same(await replyTo((reply) => handlers.readdir('/', reply)), listed);
  t.equal(lines.length, 1);
});
