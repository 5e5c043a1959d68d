import t from 'tap';
import { SimulatedClock } from '../../../../src/kernel/simulated/clock.js';
import { demoMachine } from '../../../../src/kernel/simulated/demo.js';
import { age, evictOldest, generationsOf, pages } from './driving.js';

void t.test('the demo has memory to reclaim in every memcg of interest, and memory in use beside it', async (t) => {
  const clock = new SimulatedClock();
  const machine = demoMachine(clock);
  for (const path of ['/web', '/db', '/batch/night']) {
    await age(machine, clock, path, { times: 4, intervalMs: 5000 });
    const [coldest] = await generationsOf(machine, path);
    t.ok((coldest?.anonPages ?? 0) + (coldest?.filePages ?? 0) > pages(64), path);
  }
  const before = await machine.kernel.memory.stat('/');
  await clock.finish(evictOldest(machine, '/batch/night', 'file', pages(512)));
  const after = await machine.kernel.memory.stat('/');
  t.equal(before.fileBytes - after.fileBytes, 512 * 2 ** 20);
});

void t.test('what the demo says about itself', async (t) => {
  const { kernel } = demoMachine(new SimulatedClock());
  t.equal(kernel.kind, 'simulated');
  t.match(await kernel.capabilities(), { kernelRelease: '6.12.0', cgroupVersion: 2, lruGen: 'on', nodes: [0] });
});
