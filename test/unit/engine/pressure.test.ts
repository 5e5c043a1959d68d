import t from 'tap';
import { Autopilot } from '../../../src/engine/autopilot.js';
import { PressureReader, pressurePercent, type PressureSample } from '../../../src/engine/pressure.js';
import { Problems } from '../../../src/engine/problems.js';
import type { PressureTotals } from '../../../src/kernel/psi.js';
import { SimulatedClock } from '../../../src/kernel/simulated/clock.js';
import { simulatedMachine, type SimulatedMachine } from '../../../src/kernel/simulated/machine.js';
import { silentLog } from '../../../src/log.js';

function sampled(atMs: number, totals: PressureTotals, children: Record<string, PressureTotals> = {}): PressureSample {
  return { atMs, totals, children: new Map(Object.entries(children)) };
}

/** cgroup v1 beside a unified hierarchy that has only some of the memcgs: the machine's pressure stands in for the others. */
function hybrid(machine: SimulatedMachine, inUnified: readonly string[]): void {
  const { pressure } = machine.kernel;
  const totals = pressure.totals.bind(pressure);
  pressure.totals = async (path) =>
    inUnified.includes(path) ? totals(path) : { ...(await totals('/')), ofMachine: true };
}

/** The own pressure of memcgs over ten seconds. */
async function ownPercents(machine: SimulatedMachine, clock: SimulatedClock, paths: readonly string[]) {
  const take = () => {
    const reader = new PressureReader(machine.kernel, clock);
    return Promise.all(paths.map((path) => reader.sample(path, 'own')));
  };
  const before = await take();
  await clock.advance(10_000);
  return (await take()).map((after, index) => before[index] && pressurePercent(before[index], after));
}

void t.test('the larger of memory and I/O counts, less what the children had of it', (t) => {
  const before = sampled(0, { memoryUs: 100, ioUs: 0 }, { '/a/b': { memoryUs: 50, ioUs: 0 } });
  const after = sampled(
    1000,
    { memoryUs: 300_100, ioUs: 100_000 },
    { '/a/b': { memoryUs: 100_050, ioUs: 0 }, '/a/new': { memoryUs: 50_000, ioUs: 90_000 } },
  );
  t.equal(pressurePercent(before, after), 15);
  t.equal(pressurePercent(after, after), undefined, 'no time has passed');
  t.end();
});

void t.test('what the machine had and what a memcg had are not compared', (t) => {
  const machine = { memoryUs: 900_000, ioUs: 0, ofMachine: true };
  const own = { memoryUs: 10, ioUs: 0 };
  t.equal(pressurePercent(sampled(0, machine), sampled(1000, own)), undefined);
  t.equal(pressurePercent(sampled(0, own), sampled(1000, machine)), undefined);
  t.end();
});

void t.test('where the machine’s pressure stands in, it is not taken off for each child', async (t) => {
  for (const [inUnified, expected] of [
    [[], [40, 40, 40]],
    [
      ['/pod', '/pod/b'],
      [10, 40, 30],
    ],
    [['/pod/b'], [40, 40, 30]],
    [
      ['/pod', '/pod/a', '/pod/b'],
      [10, 0, 30],
    ],
  ] as const) {
    const clock = new SimulatedClock();
    const machine = simulatedMachine({ clock });
    machine.memcg('/pod/a');
    machine.pressure('/pod', { memory: 10 });
    machine.pressure('/pod/b', { memory: 30 });
    hybrid(machine, inUnified);
    t.same(await ownPercents(machine, clock, ['/pod', '/pod/a', '/pod/b']), expected, inUnified.join(' '));
  }
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock, pressureScope: 'machine' });
  machine.pressure('/pod/a', { io: 20 });
  t.same(await ownPercents(machine, clock, ['/pod', '/pod/a']), [20, 20], 'by machine only');
});

void t.test('a sample is of the time of its reading, and what was read long ago is read again', async (t) => {
  const clock = new SimulatedClock();
  const machine = simulatedMachine({ clock });
  machine.pressure('/pod/a', { memory: 50 });
  const reader = new PressureReader(machine.kernel, clock);
  const first = await reader.sample('/pod/a', 'own');
  await clock.advance(10);
  t.equal((await reader.sample('/pod/a', 'own')).atMs, first.atMs, 'just read');
  await clock.advance(60_000);
  const last = await reader.sample('/pod/a', 'own');
  t.equal(last.atMs, 60_010);
  t.equal(pressurePercent(first, last), 50);
  t.equal((await reader.sample('/pod', 'own')).children.get('/pod/a')?.memoryUs, last.totals.memoryUs);
});

void t.test('that the machine’s pressure stands in is said once, when the autopilot is first enabled', (t) => {
  for (const [pressureScope, sentences] of [
    ['machine', 1],
    ['memcg', 0],
  ] as const) {
    const clock = new SimulatedClock();
    const { kernel } = simulatedMachine({ clock, pressureScope });
    const told: string[] = [];
    const log = { ...silentLog, warn: (_: object, sentence: string) => void told.push(sentence) };
    const autopilot = new Autopilot(kernel, clock, () => true, new Problems(silentLog), log, {
      scanPeriodMs: () => 1000,
      evict: () => Promise.reject(new Error('nothing is evicted here')),
      obstacleToSwap: () => Promise.resolve(undefined),
      coldPages: () => Promise.resolve(new Map()),
      wakeAging: () => undefined,
    });
    autopilot.change({ settings: { period_secs: 60 } });
    t.same(told, [], 'still off');
    autopilot.change({ overrides: [{ path: '/pod', nodes: [], noSubdir: false, settings: { disabled: false } }] });
    autopilot.change({ settings: { disabled: false } });
    t.equal(told.length, sentences, pressureScope);
  }
  t.end();
});
