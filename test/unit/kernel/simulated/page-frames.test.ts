import t from 'tap';
import { frameFlag, PageFrames } from '../../../../src/kernel/page-frames.js';
import { SimulatedClock } from '../../../../src/kernel/simulated/clock.js';
import { simulatedMachine, type SimulatedMachine } from '../../../../src/kernel/simulated/machine.js';

/** Frames of a memcg on LRU lists that have all of these flags. */
async function framesOf(machine: SimulatedMachine, inode: bigint, flags: number): Promise<number> {
  const { pageFrames } = machine.kernel;
  const frames = new PageFrames(4096);
  let found = 0;
  for (let pfn = 0; pfn < (await pageFrames.count()); pfn += frames.capacity) {
    const count = await pageFrames.read(pfn, frames);
    for (let index = 0; index < count; index++)
      if (frames.memcgAt(index) === Number(inode) && (frames.flagsAt(index) & flags) === flags) found++;
  }
  return found;
}

void t.test('each page in memory has a frame that says what it is', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  const memcg = machine.memcg('/a');
  machine.anon('/a', { mib: 4 });
  machine.file('/a', { mib: 8 });
  machine.file('/b', { mib: 2 });
  t.equal(await framesOf(machine, memcg.inode, frameFlag.lru), 12 * 256);
  t.equal(await framesOf(machine, memcg.inode, frameFlag.swapBacked | frameFlag.mapped), 4 * 256);
  t.equal(await framesOf(machine, memcg.inode, frameFlag.referenced), 0);
});

void t.test('a read sets the bit, the next aging clears it', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock });
  const memcg = machine.memcg('/a');
  const set = machine.file('/a', { mib: 2 });
  await clock.advance(10);
  machine.touch(set);
  t.equal(await framesOf(machine, memcg.inode, frameFlag.referenced), 512);
  await clock.advance(10);
  const [listed] = (await machine.kernel.lruGen.read()).filter(({ path }) => path === '/a');
  await machine.kernel.lruGen.age([{ id: listed?.id ?? '', path: '/a', node: 0, maxSeq: 3n }]);
  t.equal(await framesOf(machine, memcg.inode, frameFlag.referenced), 0);
});

void t.test('what left memory leaves a hole', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  const memcg = machine.memcg('/a');
  const set = machine.file('/a', { mib: 2 });
  t.equal(await framesOf(machine, memcg.inode, frameFlag.lru), 512);
  machine.drop(set);
  t.equal(await framesOf(machine, memcg.inode, frameFlag.lru), 0);
});
