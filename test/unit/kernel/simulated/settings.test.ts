import t from 'tap';
import { gib, mib } from '../../../../src/kernel/simulated/bytes.js';
import { SimulatedClock } from '../../../../src/kernel/simulated/clock.js';
import { simulatedMachine } from '../../../../src/kernel/simulated/machine.js';

void t.test('limits of a memcg are files, in whole pages', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock(), swapBytes: gib(1) });
  machine.memcg('/test');
  const { settings, memory } = machine.kernel;
  const file = settings.memcgFile('/test', 'memory.swap.max') ?? '';
  t.equal(file, '/sys/fs/cgroup/test/memory.swap.max');
  t.equal(settings.read(file), 'max');
  settings.write(file, String(mib(16) + 5));
  t.equal(settings.read(file), String(mib(16)));
  t.equal(await memory.swapRoom('/test'), mib(16));
  settings.write(file, 'max\n');
  t.equal(await memory.swapRoom('/test'), gib(1));
});

void t.test('memory that is free under the limits is what all of them leave', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  machine.anon('/pod', { mib: 24 });
  machine.memcg('/pod/test');
  const { settings, memory } = machine.kernel;
  t.equal(await memory.room('/pod/test'), Infinity);
  settings.write('/sys/fs/cgroup/pod/test/memory.max', String(mib(16)));
  t.equal(await memory.room('/pod/test'), mib(16));
  settings.write('/sys/fs/cgroup/pod/memory.max', String(mib(32)));
  t.equal(await memory.room('/pod/test'), mib(8));
  settings.write('/sys/fs/cgroup/pod/test/memory.high', String(mib(4)));
  t.equal(await memory.room('/pod/test'), mib(4));
  settings.write('/sys/fs/cgroup/pod/memory.max', String(mib(8)));
  t.equal(await memory.room('/pod/test'), 0);
});

void t.test('the root and memcgs that are gone have no files of limits', (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  machine.memcg('/test');
  const { settings } = machine.kernel;
  const file = settings.memcgFile('/test', 'memory.max') ?? '';
  t.equal(settings.memcgFile('/', 'memory.max'), undefined);
  t.equal(settings.memcgFile('/test', 'memory.unknown'), undefined);
  machine.rmdir('/test');
  t.equal(settings.memcgFile('/test', 'memory.max'), undefined);
  t.equal(settings.read(file), undefined);
  t.throws(() => settings.write(file, '0'), { code: 'KERNEL_REFUSED', cause: { code: 'ENOENT' } });
  t.end();
});

void t.test('a limit that is no number of bytes is refused', (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  machine.memcg('/test');
  for (const value of ['', '-1', 'much', '1.5'])
    t.throws(() => machine.kernel.settings.write('/sys/fs/cgroup/test/memory.max', value), {
      code: 'KERNEL_REFUSED',
      cause: { code: 'EINVAL' },
    });
  t.equal(machine.kernel.settings.read('/sys/fs/cgroup/test/memory.max'), 'max');
  t.end();
});

void t.test('files of the machine are kept as written; a test can make and take away others', async (t) => {
  const machine = simulatedMachine({ clock: new SimulatedClock() });
  const { settings, memory } = machine.kernel;
  t.equal(settings.read('/sys/kernel/mm/lru_gen/enabled'), '0x0007');
  settings.write('/proc/sys/vm/swappiness', '10\n');
  t.equal(await memory.swappiness('/'), 10);
  t.equal(settings.read('/sys/new'), undefined);
  machine.settings.define('/sys/new', '1');
  settings.write('/sys/new', '2');
  t.equal(settings.read('/sys/new'), '2');
  machine.settings.define('/sys/new', undefined);
  t.throws(() => settings.write('/sys/new', '3'), { code: 'KERNEL_REFUSED' });
});

void t.test('zswap is switched by its file', (t) => {
  const { settings } = simulatedMachine({ clock: new SimulatedClock() }).kernel;
  t.equal(settings.read('/sys/module/zswap/parameters/enabled'), 'N');
  settings.write('/sys/module/zswap/parameters/enabled', '1');
  t.equal(settings.read('/sys/module/zswap/parameters/enabled'), 'Y');
  t.end();
});
