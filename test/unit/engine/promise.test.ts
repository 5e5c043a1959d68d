import fc from 'fast-check';
import t from 'tap';
import type { PageSet } from '../../../src/kernel/simulated/page-set.js';
import { never, periodMs, world } from './world.js';

/** What happens to a machine while thresholds are written. */
type Step =
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'touch'; readonly set: number }
  | { readonly kind: 'kernel ages' }
  | {
      readonly kind: 'reclaim';
      readonly agePeriods: number;
      readonly limitPages: number;
      readonly all: boolean;
      readonly meanwhile?: Meanwhile;
    };

/** What happens before the nth eviction command of a run: a set is used, and the kernel ages the memcg or does not. */
interface Meanwhile {
  readonly nth: number;
  readonly set: number;
  readonly kernelAges: boolean;
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(3 * periodMs) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('touch' as const), set: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('kernel ages' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('reclaim' as const),
      agePeriods: fc.constantFrom(1, 2, 3, 5, 9),
      limitPages: fc.oneof(fc.nat(3000), fc.constant(Infinity)),
      all: fc.boolean(),
      meanwhile: fc.record({ nth: fc.nat(40), set: fc.nat(3), kernelAges: fc.boolean() }),
    }),
  },
);

/** Runs the steps. Answers how many pages were evicted, and fails at the first that was used less than threshold x period before. */
async function run(release: string, steps: readonly Step[]): Promise<number> {
  const it = await world({ release, evictionMsPerMib: 5 });
  const { machine, clock, engine } = it;
  engine.global.mode = 3;
  const sets = [
    machine.anon('/test', { mib: 8 }),
    machine.file('/test', { mib: 8, access: 'mapped' }),
    machine.anon('/test', { mib: 8 }),
    machine.anon('/test/below', { mib: 8 }),
  ];
  const usedMs = new Map<PageSet, number>(sets.map((set) => [set, 0]));
  let idleMs = Infinity;
  let evicted = 0;
  const away = (): number[] => sets.map((set) => machine.where(set).swap + machine.where(set).storage);
  let before = away();
  let agedMs = 0;
  machine.hooks.beforeAging = () => {
    agedMs = clock.nowMs();
  };
  const use = (index: number): void => {
    const set = sets[index];
    if (!set) return;
    machine.touch(set);
    usedMs.set(set, clock.nowMs());
  };
  const kernelAges = async (): Promise<void> => {
    const listed = await machine.kernel.lruGen.readOne('/test');
    const maxSeq = listed?.nodes[0]?.generations.at(-1)?.seq ?? 0n;
    await machine.kernel.lruGen.age([{ id: listed?.id ?? '', path: '/test', node: 0, maxSeq }]);
  };
  let meanwhile: Meanwhile | undefined;
  let commands = 0;
  machine.hooks.beforeEviction = async () => {
    if (meanwhile && commands++ === meanwhile.nth && agedMs !== clock.nowMs()) {
      use(meanwhile.set);
      if (meanwhile.kernelAges) await kernelAges();
    }
    before = away();
  };
  machine.hooks.afterEviction = () => {
    for (const [index, pages] of away().entries()) {
      const set = sets[index];
      const freed = pages - (before[index] ?? 0);
      if (!set || freed <= 0) continue;
      evicted += freed;
      const idle = clock.nowMs() - (usedMs.get(set) ?? 0);
      if (idle < idleMs) throw new Error(`evicted ${freed} pages of set ${index} after ${idle} ms, not ${idleMs} ms`);
    }
  };
  for (const todo of steps)
    switch (todo.kind) {
      case 'wait':
        await clock.advance(todo.ms);
        break;
      case 'touch': {
        // In the model a use at the very moment of an aging comes before it.
        while (agedMs === clock.nowMs()) await clock.advance(1);
        use(todo.set);
        break;
      }
      case 'kernel ages': {
        await kernelAges();
        // A use in the very millisecond of an aging would count as before it.
        await clock.advance(1);
        break;
      }
      case 'reclaim': {
        idleMs = todo.agePeriods * periodMs;
        meanwhile = todo.meanwhile;
        commands = 0;
        engine.noteGlobalColdness(todo.agePeriods);
        const memcg = it.at('/test');
        await clock.finish(
          todo.all
            ? engine.reclaimAll(todo.agePeriods, never())
            : engine.reclaimMemcg(memcg, todo.agePeriods, todo.limitPages * 4096, never()),
        );
        const failed = it.problems().find((one) => one.includes('not reclaimed'));
        if (failed !== undefined) throw new Error(failed);
      }
    }
  return evicted;
}

/** The clock ages the memcg right after a run has looked at it: what was used since stands where the run looks for what came back. */
const usedAndAgedMeanwhile: readonly Step[] = [
  { kind: 'wait', ms: 3 * periodMs },
  { kind: 'reclaim', agePeriods: 5, limitPages: 0, all: false },
  { kind: 'wait', ms: periodMs },
  { kind: 'touch', set: 0 },
  { kind: 'reclaim', agePeriods: 1, limitPages: Infinity, all: false },
];

void t.test('whatever happens, no page is evicted that was used within threshold x period', async (t) => {
  let evicted = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('6.12.0', '7.2.0'),
      fc.array(step, { minLength: 5, maxLength: 30 }),
      async (release, steps) => {
        evicted += await run(release, steps);
      },
    ),
    { numRuns: 1000, examples: [['6.12.0', usedAndAgedMeanwhile]] },
  );
  t.ok(evicted > 10_000, `${evicted} pages were evicted in all, so there was something to break`);
});
