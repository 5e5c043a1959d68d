import t from 'tap';
import type { ThreadState, UnfinishedCall } from '../../../../../src/kernel/linux/mlock/machine.js';
import { x64 } from '../../../../../src/kernel/linux/mlock/x64.js';

const places = { r15: 0, ax: 80, di: 112, origAx: 120, ip: 128, cs: 136, flags: 144, sp: 152, ss: 160 } as const;
const trampoline = { call: 0x7000_0000_1000, restorer: 0x7000_0000_2000 };
const stackTop = 0x7ffc_0000_8123;

interface Given {
  readonly registers?: Partial<Record<keyof typeof places, bigint>>;
  readonly features?: bigint;
  readonly bytes?: number;
  readonly repeatedCall?: number;
}

/** A thread of a 64-bit process that was stopped in its own code, unless a test says otherwise. */
function thread({ registers = {}, features = 7n, bytes = 832, repeatedCall }: Given = {}): ThreadState {
  const all = {
    r15: 15n,
    ax: 1n,
    di: 2n,
    origAx: -1n,
    ip: 0x40_1000n,
    cs: 0x33n,
    flags: 0x246n,
    ss: 0x2bn,
    ...registers,
  };
  const buffer = Buffer.alloc(216);
  for (const [name, value] of Object.entries({ sp: BigInt(stackTop), ...all }))
    buffer.writeBigInt64LE(value, places[name as keyof typeof places]);
  const floatingPoint = Buffer.alloc(bytes, 0xab);
  floatingPoint.writeBigUInt64LE(features, 464);
  floatingPoint.writeBigUInt64LE(7n, 512);
  return { registers: buffer, floatingPoint, signalMask: Buffer.from('8877665544332211', 'hex'), repeatedCall };
}

/** What rt_sigreturn of the frame makes of some registers. */
function restored(state: ThreadState): Record<'ax' | 'ip' | 'sp', bigint> {
  const { bytes } = x64.frame(state, trampoline);
  return { ax: bytes.readBigInt64LE(152), ip: bytes.readBigInt64LE(176), sp: bytes.readBigInt64LE(168) };
}

const poll = { origAx: 7n, ax: -516n };
const pollsCode = 'b807000000';
const syscall = '0f05';
const otherCode = '89f8909090';

/** What is known of the call that a thread makes again. Its code is given as hexadecimal text. */
function unfinished(registers: Given['registers'], before: string, after = '4883c408'): UnfinishedCall | undefined {
  const code = { before: Buffer.from(before, 'hex'), after: Buffer.from(after, 'hex') };
  return x64.unfinishedCall(thread({ registers: registers ?? {} }).registers, code);
}

void t.test(
  'the frame is a signal frame below the red zone that gives back registers, mask and extended state',
  async (t) => {
    const state = thread();
    const { address, bytes } = x64.frame(state, trampoline);
    t.ok(address + bytes.length <= stackTop - 128, 'the red zone is left alone');
    t.equal(address % 16, 8, 'aligned as after a call');
    t.equal(Number(bytes.readBigUInt64LE(0)), trampoline.restorer);
    t.equal(bytes.readBigUInt64LE(48 + 56), 15n, 'r15');
    t.same(restored(state), { ax: 1n, ip: 0x40_1000n, sp: BigInt(stackTop) });
    t.equal(bytes.readUInt16LE(192), 0x33);
    t.equal(bytes.readUInt16LE(198), 0x2b);
    t.equal(bytes.subarray(304, 312).toString('hex'), '8877665544332211');
    t.equal(bytes.readUInt32LE(32), 4, 'no mode of an alternate stack: the thread keeps its own');
  },
);

void t.test('the extended state in the frame is aligned, and what the kernel takes for whole', async (t) => {
  const { address, bytes } = x64.frame(thread(), trampoline);
  const at = Number(bytes.readBigUInt64LE(232));
  t.equal(at % 64, 0);
  const extended = bytes.subarray(at - address);
  t.equal(extended.readUInt32LE(464), 0x46505853);
  t.equal(extended.readUInt32LE(468), 836);
  t.equal(extended.readBigUInt64LE(472), 7n);
  t.equal(extended.readUInt32LE(480), 832);
  t.equal(extended.readUInt32LE(832), 0x46505845);
  t.equal(extended[831], 0xab);
});

void t.test('on a processor with tiles the frame is of the size of a process that has none', async (t) => {
  const { address, bytes } = x64.frame(thread({ features: 0x602e7n, bytes: 11_008 }), trampoline);
  const extended = bytes.subarray(Number(bytes.readBigUInt64LE(232)) - address);
  t.equal(extended.readUInt32LE(480), 2816);
  t.equal(extended.readBigUInt64LE(472), 0x202e7n);
});

void t.test('the thread makes the call with the frame as its stack, and in no system call of its own', async (t) => {
  const state = thread({ registers: poll });
  const frame = x64.frame(state, trampoline);
  const calling = x64.calling(state, trampoline, frame, { number: 150, args: [4096, 8192] });
  t.equal(calling.readBigInt64LE(places.ax), 150n);
  t.equal(calling.readBigInt64LE(places.di), 4096n);
  t.equal(Number(calling.readBigInt64LE(places.ip)), trampoline.call);
  t.equal(Number(calling.readBigInt64LE(places.sp)), frame.address);
  t.equal(calling.readBigInt64LE(places.origAx), -1n);
  t.equal(calling.readBigInt64LE(places.r15), 15n);
});

void t.test('a thread in a system call that the kernel restarts makes it again after its frame', async (t) => {
  for (const ax of [-512n, -513n, -514n, -516n]) {
    const state = thread({ registers: { origAx: 7n, ax, ip: 0x40_1000n }, repeatedCall: 7 });
    t.match(restored(state), { ax: 7n, ip: 0x40_0ffen });
  }
  t.match(
    restored(thread({ registers: { origAx: 7n, ax: -4n } })),
    { ax: -4n, ip: 0x40_1000n },
    'poll: EINTR of its own',
  );
  t.match(restored(thread({ registers: { origAx: -1n, ax: -512n } })), { ax: -512n }, 'in no system call');
  t.match(restored(thread({ registers: { origAx: 219n, ax: -516n }, repeatedCall: 7 })), { ax: 7n }, 'the second time');
});

void t.test('a thread that is about to go on with a wait makes the call again after its frame', async (t) => {
  const state = thread({ registers: { origAx: -1n, ax: 219n, ip: 0x40_1000n }, repeatedCall: 7 });
  t.match(restored(state), { ax: 7n, ip: 0x40_1000n });
  t.ok(x64.givenBack(state.registers).equals(state.registers));
  const onItsWayBack = thread({ registers: { origAx: 7n, ax: 219n, ip: 0x40_1000n }, repeatedCall: 7 });
  t.match(restored(onItsWayBack), { ax: 7n, ip: 0x40_1000n }, 'a second stop before it is back in its own code');
});

void t.test('a tracer gives back the registers as they were, for the kernel to restart the call', async (t) => {
  const { registers } = thread({ registers: poll });
  t.ok(x64.givenBack(registers).equals(registers));
  const waiting = thread({ registers: { origAx: 232n, ax: -4n } });
  t.equal(
    x64.givenBack(waiting.registers).readBigInt64LE(places.ax),
    -514n,
    'epoll_wait goes on unless a handler runs',
  );
  const reading = thread({ registers: { origAx: 0n, ax: -4n } }).registers;
  t.ok(x64.givenBack(reading).equals(reading), 'EINTR of any other call is its own');
});

void t.test('the call that a thread makes again is in its registers, and where it ends', async (t) => {
  t.same(unfinished(poll, pollsCode + syscall), { number: 7, end: 0x40_1000 });
  t.same(unfinished({ origAx: 0n, ax: -512n }, otherCode + syscall), { number: 0, end: 0x40_1000 });
  const onItsWayBack = { origAx: 7n, ax: 219n };
  t.same(
    unfinished(onItsWayBack, otherCode, syscall),
    { number: 7, end: 0x40_1002 },
    'stopped there for a second time',
  );
  t.equal(unfinished({ origAx: 0n, ax: 219n }, otherCode + syscall), undefined, 'read answered 219');
  t.equal(unfinished({ origAx: 7n, ax: -4n }, pollsCode + syscall), undefined, 'EINTR of its own');
  t.equal(unfinished({ origAx: -1n, ax: -512n }, otherCode), undefined, 'in its own code');
});

void t.test('the number of a wait that was restarted before is in the code', async (t) => {
  const again = { origAx: 219n, ax: -516n };
  t.same(unfinished(again, pollsCode + syscall), { number: 7, end: 0x40_1000 });
  for (const aboutTo of [-1n, 219n])
    t.same(unfinished({ origAx: aboutTo, ax: 219n }, pollsCode, syscall), { number: 7, end: 0x40_1002 });
  t.match(unfinished(again, 'b83c000000' + syscall), { number: undefined }, 'exit is not restarted');
  t.match(unfinished(again, otherCode + syscall), { number: undefined });
  t.match(unfinished(again, pollsCode + '0f34'), { number: undefined });
  t.match(unfinished(again, ''), { number: undefined });
  t.match(unfinished({ origAx: -1n, ax: 219n }, otherCode, syscall), { number: undefined });
});

void t.test('threads that are not touched', async (t) => {
  t.equal(x64.obstacle(thread()), undefined);
  t.equal(x64.obstacle({ ...thread(), registers: Buffer.alloc(68) }), 'it runs 32-bit code');
  t.equal(x64.obstacle(thread({ registers: { cs: 0x23n } })), 'it runs 32-bit code');
  t.equal(x64.obstacle(thread({ registers: { flags: 0x346n } })), 'it is single-stepped');
  const tiles = thread({ bytes: 11_008 });
  tiles.floatingPoint.writeBigUInt64LE(1n << 18n, 512);
  t.equal(x64.obstacle(tiles), 'it uses AMX tiles');
});

void t.test('a trampoline is found in code', async (t) => {
  const code = Buffer.from('9090b8270000000f05c39048c7c00f0000000f05', 'hex');
  t.same(x64.findTrampoline(code), { call: 7, restorer: 11 });
  t.same(x64.findTrampoline(Buffer.from('b80f0000000f05', 'hex')), { restorer: 0 });
});
