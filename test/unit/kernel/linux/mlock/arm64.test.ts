/** Never run on such a processor: the places of registers and frame are those of the kernel's public headers. */
import t from 'tap';
import { arm64 } from '../../../../../src/kernel/linux/mlock/arm64.js';
import type { ThreadState } from '../../../../../src/kernel/linux/mlock/machine.js';

const trampoline = { call: 0xffff_0000_1000, restorer: 0xffff_0000_2000 };
const [x0, x8, x30, sp, pc, pstate] = [0, 64, 240, 248, 256, 264];

function thread(flags = 0x6000_0c00n): ThreadState {
  const registers = Buffer.alloc(272);
  for (let at = 0; at < 31; at++) registers.writeBigUInt64LE(BigInt(100 + at), 8 * at);
  registers.writeBigUInt64LE(0xffff_f000_8008n, sp);
  registers.writeBigUInt64LE(0x40_1000n, pc);
  registers.writeBigUInt64LE(flags, pstate);
  const floatingPoint = Buffer.alloc(528, 0xcd);
  floatingPoint.writeUInt32LE(0x11, 512);
  floatingPoint.writeUInt32LE(0x22, 516);
  return { registers, floatingPoint, signalMask: Buffer.from('8877665544332211', 'hex'), repeatedCall: undefined };
}

void t.test(
  'the frame is rt_sigframe: siginfo, ucontext, sigcontext and the record of the vector registers',
  async (t) => {
    const { address, bytes } = arm64.frame(thread(), trampoline);
    t.equal(address % 16, 0);
    t.ok(address + bytes.length <= 0xffff_f000_8008);
    t.equal(bytes.readUInt32LE(128 + 16 + 8), 4, 'no mode of an alternate stack');
    t.equal(bytes.subarray(168, 176).toString('hex'), '8877665544332211');
    t.equal(bytes.readBigUInt64LE(312), 100n, 'x0');
    t.equal(bytes.readBigUInt64LE(312 + 240), 130n, 'x30');
    t.equal(bytes.readBigUInt64LE(560), 0xffff_f000_8008n, 'sp');
    t.equal(bytes.readBigUInt64LE(568), 0x40_1000n, 'pc');
    t.equal(bytes.readBigUInt64LE(576), 0x6000_0c00n, 'pstate');
    t.same(
      [592, 596, 600, 604].map((at) => bytes.readUInt32LE(at)),
      [0x46508001, 528, 0x11, 0x22],
    );
    t.equal(bytes[608], 0xcd, 'v0');
    t.equal(bytes.readBigUInt64LE(592 + 528), 0n, 'the record that ends the list');
  },
);

void t.test('the thread makes the call and returns into the vdso', async (t) => {
  const state = thread();
  const calling = arm64.calling(state, trampoline, arm64.frame(state, trampoline), { number: 284, args: [1, 2, 3] });
  t.same(
    [0, 8, 16].map((at) => calling.readBigUInt64LE(x0 + at)),
    [1n, 2n, 3n],
  );
  t.equal(calling.readBigUInt64LE(x8), 284n);
  t.equal(Number(calling.readBigUInt64LE(x30)), trampoline.restorer);
  t.equal(Number(calling.readBigUInt64LE(pc)), trampoline.call);
  t.equal(calling.readBigUInt64LE(pstate), 0x6000_0000n, 'it comes from no branch');
});

void t.test('a wait that the kernel goes on with under another number gets its own back in the frame', async (t) => {
  const svc = Buffer.from('010000d4', 'hex');
  const call = (number: number): Buffer => {
    const { registers } = thread();
    registers.writeBigUInt64LE(BigInt(number), x8);
    return registers;
  };
  const elsewhere = Buffer.from('fd7bbfa9', 'hex');
  const sleeps = Buffer.from('680e80d2' + 'e20313aa', 'hex');
  t.same(arm64.unfinishedCall(call(115), { before: elsewhere, after: svc }), { number: 115, end: 0x40_1004 });
  t.match(arm64.unfinishedCall(call(128), { before: sleeps, after: svc }), { number: 115 }, 'mov x8, #115');
  t.match(arm64.unfinishedCall(call(128), { before: elsewhere, after: svc }), { number: undefined });
  t.equal(arm64.unfinishedCall(call(128), { before: sleeps, after: elsewhere }), undefined, 'in its own code');
  const { bytes } = arm64.frame({ ...thread(), registers: call(128), repeatedCall: 115 }, trampoline);
  t.equal(bytes.readBigUInt64LE(312 + x8), 115n);
});

void t.test('threads that are not touched', async (t) => {
  t.equal(arm64.obstacle(thread()), undefined);
  t.equal(arm64.obstacle(thread(0x10n)), 'it runs 32-bit code');
  t.equal(arm64.obstacle(thread(1n << 21n)), 'it is single-stepped');
});

void t.test('a trampoline is found at multiples of four only', async (t) => {
  const code = Buffer.from('0000' + '010000d4c0035fd6' + '0000' + '681180d2010000d4' + '010000d4c0035fd6', 'hex');
  t.same(arm64.findTrampoline(code), { restorer: 12, call: 20 });
});
