import t from 'tap';
import { coldnessOfFlags, ignoresMlock, MemcgControlTable, modeOfFlags } from '../../../src/engine/controls.js';

const pod = { path: '/pod', inode: 2n };

void t.test(
  'bits 0-31 of the flags are the coldness the memcg is meant for, as far as an age can be that large',
  async (t) => {
    t.equal(coldnessOfFlags(0n), 0);
    t.equal(coldnessOfFlags(0x7_0000_0008n), 8);
    t.equal(coldnessOfFlags(0xffn), 255);
    t.equal(coldnessOfFlags(0x100n), 0, 'no age is 256');
    t.equal(coldnessOfFlags(0xffff_ffffn), 0);
  },
);

void t.test('bits 32-34 are a mask of modes, bit 35 allows mlocked pages', async (t) => {
  t.same([0x1_0000_0000n, 0x2_0000_0000n, 0x4_0000_0000n, 0xf_0000_00ffn].map(modeOfFlags), [1, 2, 4, 7]);
  t.equal(modeOfFlags(0xffff_ffffn), 0);
  t.equal(ignoresMlock(0x8_0000_0000n), true);
  t.equal(ignoresMlock(0x7_ffff_ffffn), false);
});

void t.test('controls are all zero at first, and change one by one', async (t) => {
  const table = new MemcgControlTable();
  t.same(table.of(pod), { flags: 0n, agePeriods: 0, size: 0n, lastAgePeriods: 0 });
  table.set(pod, { size: 4096n });
  table.set(pod, { agePeriods: 3 });
  t.same(table.of(pod), { flags: 0n, agePeriods: 3, size: 4096n, lastAgePeriods: 0 });
});

void t.test('a new memcg at an old path has all zeros, and what is gone is forgotten', async (t) => {
  const table = new MemcgControlTable();
  table.set(pod, { flags: 1n });
  const reborn = { ...pod, inode: 3n };
  t.equal(table.of(reborn).flags, 0n);
  table.set(reborn, { flags: 2n });
  table.keepOnly(({ inode }) => inode === reborn.inode);
  t.match(table.entries(), [{ memcg: reborn, controls: { flags: 2n } }]);
  t.equal(table.entries().length, 1);
});
