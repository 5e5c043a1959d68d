import t from 'tap';
import type { Watched } from '../../../src/engine/autopilot-book.js';
import type { PageSet } from '../../../src/kernel/simulated/page-set.js';
import { gib } from '../../../src/kernel/simulated/bytes.js';
import { pages, type World, world } from './world.js';

const periodSecs = 600;
const hours = 8;
const limitPercent = 1;
/** Pressure is judged over this long at least, and so long a judgement holds. */
const windowMs = 200;
/** What three agings found unused has been idle for two periods; agings may come early by a twentieth. */
const provenIdleMs = 2 * periodSecs * 1000 * 0.95;

type Resource = 'memory' | 'io';

/** A memcg of the day: what it holds, and when its tasks have to wait. */
interface Pod {
  readonly path: string;
  readonly madeMs: number;
  readonly sets: readonly PageSet[];
  pressed: { readonly by: Resource; readonly sinceMs: number; readonly percent: number } | undefined;
}

/** What was done to a pod since its present run began. */
interface Done {
  readonly commandsMs: number[];
  away: readonly number[];
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
  const account = { freed: 0, evictions: 0, made: 0, watched: 0 };
  const broken = watch(it, pods, account, random(-seed));
  it.engine.autopilot.change({
    settings: { disabled: false, swap: true, swappiness_max: 200, period_secs: periodSecs },
  });
  it.engine.compactor.change({ disabled: false, period_secs: periodSecs });
  let next = 0;
  for (let minute = 0; minute < hours * 60; minute++) {
    const pauseMs = 1 + pick(59_000);
    await it.clock.advance(pauseMs);
    if (pods.size < 12 && chance(200)) make(it, pods, `/pod-${next++}`, pick, account);
    for (const pod of [...pods.values()]) {
      if (chance(20)) press(it, pod, chance(500) ? 'memory' : 'io', chance(700) ? 0 : 2 + pick(30));
      if (chance(10)) for (const set of pod.sets) it.machine.touchEvery(set, undefined);
      if (chance(10)) for (const set of pod.sets) it.machine.touch(set);
      if (!chance(5)) continue;
      pods.delete(pod.path);
      it.machine.rmdir(pod.path);
    }
    if (chance(50)) it.machine.fragmentation.blocks[0] = 2000 + pick(4000);
    await it.clock.advance(60_000 - pauseMs);
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
  pods.set(path, { path, madeMs: it.clock.nowMs(), sets, pressed: undefined });
}

/** From now on the tasks of a pod wait for something so many percent of the time. More than the limit of the same as before goes on since then. */
function press(it: World, pod: Pod, by: Resource, percent: number): void {
  const goesOn = percent > limitPercent && pod.pressed?.by === by;
  const sinceMs = goesOn && pod.pressed ? pod.pressed.sinceMs : it.clock.nowMs();
  pod.pressed = percent > limitPercent ? { by, sinceMs, percent } : undefined;
  it.machine.pressure(pod.path, { [by]: percent });
}

/**
 * Answers a list of whatever must not be: evictions under pressure that has lasted, of memory that was used a short time ago, clocks that go back. Now and
 * then lets pressure begin in the middle of a run.
 */
function watch(
  it: World,
  pods: ReadonlyMap<string, Pod>,
  account: { freed: number; evictions: number; watched: number },
  draw: () => number,
): readonly string[] {
  const broken: string[] = [];
  const seqs = new Map<string, bigint>();
  const done = new Map<string, Done>();
  const { book } = it.engine.autopilot;
  const note = book.note.bind(book);
  book.note = (watched: readonly Watched[], end) => {
    done.delete(watched[0]?.memcg.path ?? '');
    note(watched, end);
  };
  it.machine.hooks.beforeAging = ({ path, node, maxSeq, id }) => {
    const key = `${id} ${path} ${node}`;
    if ((seqs.get(key) ?? -1n) > maxSeq) broken.push(`${key} went back to generation ${maxSeq}`);
    seqs.set(key, maxSeq);
  };
  it.machine.hooks.beforeEviction = ({ path }) => {
    account.evictions++;
    const pod = pods.get(path);
    if (!pod) return;
    const nowMs = it.clock.nowMs();
    const commandsMs = done.get(path)?.commandsMs ?? new Array<number>();
    const { pressed } = pod;
    if (pressed && pressed.sinceMs <= windowBeganMs(commandsMs, nowMs))
      broken.push(`${path} evicted at ${pressed.percent} % ${pressed.by}, for ${nowMs - pressed.sinceMs} ms`);
    if (!pressed && draw() < 0.05)
      void it.clock.sleep(1 + draw() * 1500).then(() => {
        if (pods.get(path) === pod) press(it, pod, draw() < 0.5 ? 'memory' : 'io', 2 + draw() * 30);
      });
    commandsMs.push(nowMs);
    done.set(path, { commandsMs, away: awayOf(pod) });
  };
  it.machine.hooks.afterEviction = ({ path }, freed) => {
    account.freed += freed;
    const pod = pods.get(path);
    const before = done.get(path);
    if (!pod || !before) return;
    const commandMs = before.commandsMs.at(-1) ?? NaN;
    awayOf(pod).forEach((away, index) => {
      const set = pod.sets[index];
      const evicted = away - (before.away[index] ?? 0);
      // The simulated kernel tells nobody who reads.
      if (!set || evicted <= 0 || set.nature.access === 'read') return;
      account.watched += evicted;
      const idleMs = commandMs - Math.max(pod.madeMs, set.lastTouchMs(commandMs));
      if (idleMs < provenIdleMs) broken.push(`${path}: ${evicted} pages of set ${index} evicted after ${idleMs} ms`);
    });
  };
  return broken;
}

/** When the window began, at the earliest, by which a command was allowed: it reaches back to the judgement before, and commands ask for those. */
function windowBeganMs(commandsMs: readonly number[], nowMs: number): number {
  return (commandsMs.findLast((ms) => ms <= nowMs - windowMs) ?? nowMs - windowMs) - windowMs;
}

/** Pages of each set that are not in memory. */
function awayOf({ sets }: Pod): number[] {
  return sets.map((set) => set.swappedPages + set.droppedPages);
}

void t.test('eight hours: no eviction under pressure, none of what was in use, no clock that goes back', async (t) => {
  let compactions = 0;
  for (const seed of [1, 2]) {
    const { it, broken, account } = await day(seed);
    t.same(broken, [], `day ${seed}`);
    t.ok(account.evictions > 50, `${account.evictions} evictions`);
    t.ok(account.watched > 10_000, `${account.watched} pages of which their use is known`);
    t.ok(account.freed > account.made / 20, `${account.freed} of ${account.made} pages`);
    const { ends } = it.engine.autopilot.book;
    for (const end of ['done', 'nothing_cold', 'period_psi_exceeds_limit', 'psi_exceeds_limit'] as const)
      t.ok(ends.has(end), `day ${seed}: ${end}`);
    t.notOk(ends.has('error'), JSON.stringify([...ends]));
    compactions += it.machine.compactions;
    t.notOk(it.engine.compactor.reasons.has('error'));
  }
  t.ok(compactions > 0);
});

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
