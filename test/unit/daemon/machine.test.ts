import t from 'tap';
import { obstacleOf } from '../../../src/daemon/machine.js';
import { SimulatedClock } from '../../../src/kernel/simulated/clock.js';
import { simulatedMachine } from '../../../src/kernel/simulated/machine.js';

const capabilities = await simulatedMachine({ clock: new SimulatedClock(), release: '6.12.0' }).kernel.capabilities();

void t.test('why coldpgs cannot work on a machine, and what to do about it', async (t) => {
  const obstacles = {
    absent: { code: 'NO_LRU_GEN', message: /Kernel 6\.12\.0 has no MgLRU.*boot one that has it/ },
    'no-debugfs': { code: 'NO_LRU_GEN', message: /mount -t debugfs debugfs/ },
    locked: { code: 'LRU_GEN_LOCKED', message: /lockdown/ },
  } as const;
  for (const [lruGen, expected] of Object.entries(obstacles))
    t.match(obstacleOf({ ...capabilities, lruGen: lruGen as keyof typeof obstacles }), expected, lruGen);
});

void t.test('MgLRU that is on is no obstacle; nor one that is off, which can be turned on', async (t) => {
  t.equal(obstacleOf({ ...capabilities, lruGen: 'on' }), undefined);
  t.equal(obstacleOf({ ...capabilities, lruGen: 'off' }), undefined);
});
