import fc from 'fast-check';
import t from 'tap';
import { opcode } from '../../../../src/fuse/dev-fuse/protocol.js';
import { decodeHeader, decodeRequest, isResent, Malformed, uniqueOf } from '../../../../src/fuse/dev-fuse/requests.js';
import { fields, name, openIn, pollIn, readIn, releaseIn, request, writeIn } from './kernel-side.js';

function decoded(bytes: Buffer) {
  const header = decodeHeader(bytes, bytes.length);
  if (header === undefined) throw new Error('no header');
  return decodeRequest(header, bytes, bytes.length);
}

void t.test('the header tells who asks for what', async (t) => {
  const bytes = request(opcode.FUSE_GETATTR, { nodeId: 0x8765_4321_0fedn, unique: 0x1_0000_0006n, uid: 1000, pid: 77 });
  t.match(decodeHeader(bytes, bytes.length), {
    opcode: 3,
    uniqueLow: 6,
    uniqueHigh: 1,
    nodeId: 0x8765_4321_0fed,
    uid: 1000,
    pid: 77,
  });
  t.equal(decodeHeader(bytes, 39), undefined);
});

void t.test('a request that is sent again has the number that it had', async (t) => {
  const first = decodeHeader(request(opcode.FUSE_READ, { unique: 0x3_0000_0008n }), 40);
  const again = decodeHeader(request(opcode.FUSE_READ, { unique: 0x8000_0003_0000_0008n }), 40);
  if (first === undefined || again === undefined) throw new Error('no header');
  t.same([isResent(first), isResent(again)], [false, true]);
  t.equal(uniqueOf(again.uniqueLow, again.uniqueHigh), 0x3_0000_0008);
  t.equal(uniqueOf(first.uniqueLow, first.uniqueHigh), 0x3_0000_0008);
});

void t.test('each request with what it asks', async (t) => {
  const cases: [number, Buffer, object][] = [
    [opcode.FUSE_INIT, fields([32, 7], [32, 45], [32, 0], [32, 8]), { op: 'init', major: 7, minor: 45, flags: 8 }],
    [opcode.FUSE_LOOKUP, name('gr\xc3\xb6\xff'), { op: 'lookup', name: 'gr\xc3\xb6\xff' }],
    [opcode.FUSE_FORGET, fields([64, 3]), { op: 'forget', nodes: [{ id: 1, lookups: 3 }] }],
    [
      opcode.FUSE_BATCH_FORGET,
      fields([32, 2], [32, 0], [64, 5], [64, 1], [64, 6], [64, 2]),
      {
        op: 'forget',
        nodes: [
          { id: 5, lookups: 1 },
          { id: 6, lookups: 2 },
        ],
      },
    ],
    [opcode.FUSE_GETATTR, fields([32, 0], [32, 0], [64, 0]), { op: 'getattr' }],
    [opcode.FUSE_SETATTR, Buffer.concat([fields([32, 8]), Buffer.alloc(84)]), { op: 'truncate' }],
    [
      opcode.FUSE_SETATTR,
      // mode, gid and mtime
      Buffer.concat(
        [fields([32, 0x25]), Buffer.alloc(36), fields([64, 9], [64, 0], [32, 0], [32, 5e8], [32, 0])].concat(
          fields([32, 0o100640], [32, 0], [32, 7], [32, 8], [32, 0]),
        ),
      ),
      { op: 'setattr', change: { mode: 0o640, gid: 8, modifiedMs: 9500 } },
    ],
    [
      opcode.FUSE_MKDIR,
      Buffer.concat([fields([32, 0o40755], [32, 0o22]), name('made')]),
      { op: 'mkdir', name: 'made', mode: 0o755 },
    ],
    [opcode.FUSE_RMDIR, name('made'), { op: 'rmdir', name: 'made' }],
    [opcode.FUSE_OPEN, openIn(0o1001), { op: 'open', flags: 0o1001 }],
    [
      opcode.FUSE_READ,
      readIn(0x1_0000_0002n, 9, 100, 2),
      { op: 'read', low: 2, high: 1, offset: 9, size: 100, flags: 2 },
    ],
    [
      opcode.FUSE_WRITE,
      writeIn(7n, 'text\n'),
      { op: 'write', low: 7, high: 0, bytes: Buffer.from('text\n'), flags: 1 },
    ],
    [opcode.FUSE_RELEASE, releaseIn(4n), { op: 'release', low: 4 }],
    [opcode.FUSE_RELEASEDIR, releaseIn(4n), { op: 'releasedir', low: 4 }],
    [opcode.FUSE_READDIR, readIn(3n, 5, 4096), { op: 'readdir', low: 3, offset: 5, size: 4096 }],
    [opcode.FUSE_READDIRPLUS, readIn(3n, 5, 4096), { op: 'readdirplus' }],
    [opcode.FUSE_INTERRUPT, fields([64, 0x1_0000_0006n]), { op: 'interrupt', of: 0x1_0000_0006 }],
    [opcode.FUSE_POLL, pollIn(2n, 11, true), { op: 'poll', low: 2, kernelHandle: 11, wake: true }],
    [opcode.FUSE_CREATE, Buffer.alloc(16), { op: 'create' }],
    [opcode.FUSE_RENAME, Buffer.alloc(0), { op: 'change' }],
    [opcode.FUSE_FLUSH, Buffer.alloc(24), { op: 'not needed' }],
    [9999, Buffer.alloc(0), { op: 'unknown' }],
  ];
  for (const [code, body, expected] of cases) t.match(decoded(request(code, { body })), expected);
});

void t.test('what is cut short, or says another length than it has, is malformed', async (t) => {
  const whole: [number, Buffer][] = [
    [opcode.FUSE_LOOKUP, name('x')],
    [opcode.FUSE_FORGET, fields([64, 3])],
    [opcode.FUSE_BATCH_FORGET, fields([32, 1], [32, 0], [64, 5], [64, 1])],
    [opcode.FUSE_SETATTR, Buffer.alloc(88)],
    [opcode.FUSE_OPEN, openIn(0)],
    [opcode.FUSE_READ, readIn(1n, 0, 1)],
    [opcode.FUSE_WRITE, writeIn(1n, 'x')],
    [opcode.FUSE_RELEASE, releaseIn(1n)],
    [opcode.FUSE_READDIR, readIn(1n, 0, 1)],
    [opcode.FUSE_INTERRUPT, fields([64, 2])],
    [opcode.FUSE_POLL, pollIn(1n, 1, false)],
    [opcode.FUSE_INIT, Buffer.alloc(16)],
  ];
  for (const [code, body] of whole) {
    decoded(request(code, { body }));
    t.throws(() => decoded(request(code, { body: body.subarray(0, -1) })), Malformed, `${code} cut short`);
    const longer = Buffer.concat([request(code, { body }), Buffer.alloc(1)]);
    t.throws(() => decoded(longer), Malformed, `${code} with a byte more than it says`);
  }
  const many = request(opcode.FUSE_BATCH_FORGET, { body: fields([32, 0xffff_ffff], [32, 0]) });
  t.throws(() => decoded(many), Malformed, 'a count that is a lie');
  t.throws(() => decoded(request(opcode.FUSE_WRITE, { body: writeIn(1n, 'x').fill(0xff, 16, 20) })), Malformed);
  t.throws(() => decoded(request(opcode.FUSE_LOOKUP, { body: Buffer.from('\0') })), Malformed, 'an empty name');
});

void t.test('any bytes: a request or Malformed, never anything else', async () => {
  const someOpcode = fc.oneof(
    fc.constantFrom(...Object.values(opcode)),
    fc.nat(60),
    fc.integer({ min: 0, max: 0xffff_ffff }),
  );
  const property = fc.property(someOpcode, fc.uint8Array({ maxLength: 200 }), fc.boolean(), (code, body, honest) => {
    const bytes = request(code, { body: Buffer.from(body) });
    if (!honest) bytes.writeUInt32LE(body.length, 0);
    try {
      decoded(bytes);
    } catch (thrown) {
      if (!(thrown instanceof Malformed)) throw thrown;
    }
  });
  fc.assert(property, { numRuns: 5000 });
});
