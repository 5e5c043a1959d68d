import type { Clock } from '../clock.js';
import { gib } from './bytes.js';
import { simulatedMachine, type SimulatedMachine } from './machine.js';

/** The machine of `coldpgs mount --simulate`: a web server, a database and a batch job, each with memory in use and memory left lying. */
export function demoMachine(clock: Clock): SimulatedMachine {
  const machine = simulatedMachine({
    clock,
    release: '6.12.0',
    swapBytes: gib(4),
    newCacheIsOld: true,
    evictionMsPerMib: 2,
    populateMsPerMib: 2,
  });
  machine.anon('/web', { mib: 256, touchedEveryMs: 500 });
  machine.anon('/web', { mib: 128 });
  machine.file('/web', { mib: 192, access: 'mapped', touchedEveryMs: 2_000 });
  machine.file('/web', { mib: 384 });
  machine.slab('/web', { mib: 24 });
  machine.anon('/db', { mib: 1024, touchedEveryMs: 250 });
  machine.anon('/db', { mib: 512, touchedEveryMs: 60_000 });
  machine.file('/db', { mib: 512, touchedEveryMs: 1_000 });
  machine.file('/db', { mib: 64, dirty: true });
  machine.anon('/db', { mib: 32, mlocked: true, touchedEveryMs: 250 });
  machine.anon('/batch/night', { mib: 768 });
  machine.file('/batch/night', { mib: 1024 });
  machine.anon('/batch/report', { mib: 64, touchedEveryMs: 10_000 });
  machine.kernel.settings.write('/sys/fs/cgroup/db/memory.max', String(gib(3)));
  return machine;
}
