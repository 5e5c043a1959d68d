import fc from 'fast-check';
import t from 'tap';
import { ColdpgsError } from '../../../../src/errors.js';
import { mib } from '../../../../src/kernel/simulated/bytes.js';
import { SimulatedClock } from '../../../../src/kernel/simulated/clock.js';
import { simulatedMachine, type SimulatedMachine } from '../../../../src/kernel/simulated/machine.js';
import type { PageSet } from '../../../../src/kernel/simulated/page-set.js';
import { age, evictOldest, generationsOf, pages } from './driving.js';

const deviceBytes = mib(24);

type Step =
  | { readonly kind: 'age' | 'populate' }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'evict'; readonly type: 'anon' | 'file'; readonly pages: number }
  | { readonly kind: 'touch'; readonly set: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('age' as const, 'populate' as const) }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(3000) }),
  fc.record({
    kind: fc.constant('evict' as const),
    type: fc.constantFrom('anon' as const, 'file' as const),
    pages: fc.nat(pages(40)),
  }),
  fc.record({ kind: fc.constant('touch' as const), set: fc.nat(5) }),
);

async function take(machine: SimulatedMachine, clock: SimulatedClock, sets: readonly PageSet[], todo: Step) {
  switch (todo.kind) {
    case 'age':
      return age(machine, clock, '/test', { intervalMs: 700 });
    case 'wait':
      return clock.advance(todo.ms);
    case 'evict':
      return evictOldest(machine, '/test', todo.type, todo.pages);
    case 'touch': {
      const set = sets[todo.set];
      return set && machine.touch(set);
    }
    case 'populate':
      for (const pid of await machine.kernel.memcgs.tasks('/test'))
        for await (const range of machine.kernel.processes.swappedRanges(pid))
          await machine.kernel.processes.populate(pid, range);
  }
}

void t.test('whatever happens, no page is lost and every interface tells of the same pages', async (t) => {
  const run = async (release: string, newCacheIsOld: boolean, steps: readonly Step[]): Promise<void> => {
    const clock = new SimulatedClock();
    const machine = simulatedMachine({ clock, release, newCacheIsOld, swapBytes: deviceBytes });
    const sets = [
      machine.anon('/test', { mib: 16, touchedEveryMs: 500 }),
      machine.anon('/test', { mib: 32 }),
      machine.anon('/test', { mib: 8, touchedEveryMs: 2000, missedByWalk: 0.3 }),
      machine.file('/test', { mib: 16, touchedEveryMs: 300 }),
      machine.file('/test', { mib: 32 }),
      machine.file('/test', { mib: 4, dirty: true }),
    ];
    for (const todo of steps) {
      // With two generations left the kernel refuses until an aging makes a third.
      await take(machine, clock, sets, todo).catch((error: unknown) => {
        if (!(error instanceof ColdpgsError && error.code === 'KERNEL_REFUSED')) throw error;
      });
      const where = sets.map((set) => machine.where(set));
      const total = (key: 'memory' | 'swap' | 'storage'): number => where.reduce((sum, place) => sum + place[key], 0);
      if (total('memory') + total('swap') + total('storage') !== pages(108)) throw new Error('pages were lost');

      const generations = await generationsOf(machine, '/test');
      const listed = generations.reduce((sum, { anonPages, filePages }) => sum + anonPages + filePages, 0);
      const { anonBytes, fileBytes } = await machine.kernel.memory.stat('/test');
      if (listed !== total('memory')) throw new Error('pages are in no generation that is listed');
      if (anonBytes + fileBytes !== total('memory') * 4096) throw new Error('memory.stat differs');
      if (generations.length < 2 || generations.length > 4) throw new Error(`${generations.length} generations`);

      const swapUsed = await machine.kernel.memory.swapUsed('/test');
      if (swapUsed < total('swap') * 4096 || swapUsed > deviceBytes) throw new Error('slots are lost or made up');
    }
  };
  await fc.assert(fc.asyncProperty(fc.constantFrom('6.12.0', '7.2.0'), fc.boolean(), fc.array(step), run), {
    numRuns: 200,
  });
  t.pass();
});
