import t from 'tap';
import type { PageSet } from '../../../src/kernel/simulated/page-set.js';
import { gib } from '../../../src/kernel/simulated/bytes.js';
import { pages, type World, world } from './world.js';

const periodSecs = 600;
const hours = 8;
const limitPercent = 1;

/** A memcg of the day: what it holds, and when its tasks have to wait. */
interface Pod {
  readonly path: string;
  readonly sets: PageSet[];
  percent: number;
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The day of a machine: pods come, work, have pressure, forget what they hold, and go. */
async function day(seed: number) {
  const draw = random(seed);
  const chance = (perMille: number): boolean => draw() < perMille / 1000;
  const pick = (most: number): number => Math.floor(draw() * most);
  const it = await world({ swapBytes: gib(8), evictionMsPerMib: 2, settings: { scanPeriodMs: 60_000 } });
  const pods = new Map<string, Pod>();
  const broken: string[] = [];
  const account = { freed: 0, asked: 0, evictions: 0, made: 0 };
  watch(it, pods, broken, account);
  it.engine.autopilot.change({
    settings: { disabled: false, swap: true, swappiness_max: 200, period_secs: periodSecs },
  });
  it.engine.compactor.change({ disabled: false, period_secs: periodSecs });
  let next = 0;
  for (let minute = 0; minute < hours * 60; minute++) {
    if (pods.size < 12 && chance(200)) make(it, pods, `/pod-${next++}`, pick, account);
    for (const pod of [...pods.values()]) {
      if (chance(20)) press(it, pod, chance(700) ? 0 : 2 + pick(30));
      if (chance(10)) for (const set of pod.sets) it.machine.touchEvery(set, undefined);
      if (chance(10)) for (const set of pod.sets) it.machine.touch(set);
      if (!chance(5)) continue;
      pods.delete(pod.path);
      it.machine.rmdir(pod.path);
    }
    if (chance(50)) it.machine.fragmentation.blocks[0] = 2000 + pick(4000);
    await it.clock.advance(60_000);
  }
  return { it, broken, account };
}

function make(
  it: World,
  pods: Map<string, Pod>,
  path: string,
  pick: (most: number) => number,
  account: { made: number },
): void {
  const size = (): { mib: number; touchedEveryMs?: number } => {
    const mib = 1 + pick(64);
    account.made += pages(mib);
    return pick(2) === 0 ? { mib } : { mib, touchedEveryMs: 1000 * (1 + pick(300)) };
  };
  const sets = [
    it.machine.anon(path, size()),
    it.machine.file(path, size()),
    it.machine.file(path, { ...size(), access: 'mapped' }),
  ];
  pods.set(path, { path, sets, percent: 0 });
}

function press(it: World, pod: Pod, percent: number): void {
  pod.percent = percent;
  it.machine.pressure(pod.path, { memory: percent });
}

/** Notes whatever must not be: evictions under pressure that has lasted, pages that were used a short time ago, clocks that go back. */
function watch(
  it: World,
  pods: ReadonlyMap<string, Pod>,
  broken: string[],
  account: { freed: number; asked: number; evictions: number },
): void {
  const seqs = new Map<string, bigint>();
  const pressedSince = new Map<string, number>();
  it.machine.hooks.beforeAging = ({ path, node, maxSeq, id }) => {
    const key = `${id} ${path} ${node}`;
    if ((seqs.get(key) ?? -1n) > maxSeq) broken.push(`${key} went back to generation ${maxSeq}`);
    seqs.set(key, maxSeq);
  };
  it.machine.hooks.beforeEviction = ({ path, pages: asked }) => {
    const pod = pods.get(path);
    const nowMs = it.clock.nowMs();
    if (pod && pod.percent > limitPercent) {
      // A window of 200 ms may have begun before the pressure did.
      const sinceMs = pressedSince.get(path) ?? nowMs;
      pressedSince.set(path, sinceMs);
      if (nowMs - sinceMs > 400) broken.push(`${path} evicted at ${pod.percent} %`);
    } else pressedSince.delete(path);
    account.asked += asked;
    account.evictions++;
  };
  it.machine.hooks.afterEviction = ({ pages: asked }, freed) => {
    account.freed += freed;
    if (freed > asked + 63) broken.push(`${freed} pages freed where ${asked} were asked for`);
  };
}

void t.test(
  'eight hours: no eviction under pressure, none beyond what was asked, no clock that goes back',
  async (t) => {
    let compactions = 0;
    for (const seed of [1, 2]) {
      const { it, broken, account } = await day(seed);
      t.same(broken, [], `day ${seed}`);
      t.ok(account.evictions > 50, `${account.evictions} evictions`);
      t.ok(account.freed > account.made / 20, `${account.freed} of ${account.made} pages`);
      const { ends } = it.engine.autopilot.book;
      for (const end of ['done', 'nothing_cold', 'period_psi_exceeds_limit'] as const)
        t.ok(ends.has(end), `day ${seed}: ${end}`);
      t.notOk(ends.has('error'), JSON.stringify([...ends]));
      compactions += it.machine.compactions;
      t.notOk(it.engine.compactor.reasons.has('error'));
    }
    t.ok(compactions > 0);
  },
);

void t.test('2,000 memcgs, half of them with settings of their own', async (t) => {
  const it = await world({ settings: { scanPeriodMs: 200_000 } });
  const paths = Array.from({ length: 2000 }, (_, index) => `/pod-${index % 20}/app-${index}`);
  // Simulated pages cost the test time, so every fiftieth memcg has some.
  const sets = paths.map((path, index) => it.machine.file(path, { pages: index % 50 === 0 ? 128 : 0 }));
  it.engine.autopilot.change({
    settings: { disabled: false, period_secs: 200 },
    overrides: paths.flatMap((path, index) => {
      if (index % 4 >= 2) return [];
      const settings = index % 8 === 0 ? { disabled: true } : { period_secs: 200 + (index % 100) };
      return [{ path, nodes: [], noSubdir: index % 3 === 0, settings }];
    }),
  });
  // Looks at so many memcgs let other work have its turn, which the simulated clock does not wait for.
  for (let step = 0; step < 100; step++) {
    await it.clock.advance(10_000);
    await new Promise((resume) => setImmediate(resume));
  }
  const wrong = sets.filter(
    (set, index) => (it.machine.where(set).storage === 128) !== (index % 50 === 0 && index % 8 !== 0),
  );
  t.equal(wrong.length, 0);
});
