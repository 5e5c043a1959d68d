import t from 'tap';
import { BorrowedSettings } from '../../../src/engine/borrowed-settings.js';
import { bandSchemes } from '../../../src/engine/damon-bands.js';
import { DamonTracker } from '../../../src/engine/damon-tracker.js';
import type { TrackerSurroundings } from '../../../src/engine/tracker-surroundings.js';
import { ColdpgsError } from '../../../src/errors.js';
import { silentLog } from '../../../src/log.js';
import type { DamonPlan, DamonStat } from '../../../src/kernel/damon.js';
import type { DamonInterface } from '../../../src/kernel/kernel.js';
import { memcgOf, seenMemcg } from './frames-kernel.js';
import { never } from './world.js';

const regionBytes = 2 ** 30;
const memcg = memcgOf('/a', 7n);
const anonFirstBand = 1;

/** A kdamond that counts what the test says, and the files by which it is made and turned on. */
class ModelDamon implements DamonInterface {
  readonly countFile = 'nr_kdamonds';
  readonly stateFile = 'state';
  readonly pidFile = 'pid';
  readonly files = new Map([
    [this.countFile, '0'],
    [this.stateFile, 'off'],
    [this.pidFile, '-1'],
  ]);
  readonly log: string[] = [];
  #nextPid = 100;
  plan: DamonPlan | undefined;
  whyNot: string | undefined;
  #stats: { triedBytes: number; passedBytes: number }[] = [];

  /** A scan period passes: each scheme is applied once. */
  pass(passedPages: Record<number, number>): void {
    this.#stats = this.#stats.map(({ triedBytes, passedBytes }, scheme) => ({
      triedBytes: triedBytes + (scheme === 0 ? regionBytes : 0),
      passedBytes: passedBytes + (passedPages[scheme] ?? 0) * 4096,
    }));
  }

  /** Whoever writes it, as the kernel has it. */
  write(file: string, value: string): void {
    this.files.set(file, value);
    if (file === this.stateFile) this.files.set(this.pidFile, value === 'on' ? String(this.#nextPid++) : '-1');
  }

  obstacle = async (): Promise<string | undefined> => this.whyNot;
  configure = async (plan: DamonPlan): Promise<number> => {
    this.#take(plan);
    this.log.push(
      `configure with nr_kdamonds ${this.files.get(this.countFile)}, state ${this.files.get(this.stateFile)}`,
    );
    return regionBytes;
  };
  replaceSchemes = async (plan: DamonPlan, pid: string): Promise<void> => {
    this.#demandOwn(pid);
    this.#take(plan);
    this.log.push(`replace: ${plan.schemes.length}`);
  };
  stats = async (schemes: number, pid: string): Promise<DamonStat[]> => {
    this.#demandOwn(pid);
    return this.#stats.slice(0, schemes);
  };

  #demandOwn(pid: string): void {
    if (this.files.get(this.pidFile) !== pid)
      throw new ColdpgsError('TRACKER_UNAVAILABLE', 'EOPNOTSUPP', 'not its own');
  }

  #take(plan: DamonPlan): void {
    this.plan = plan;
    this.#stats = plan.schemes.map(() => ({ triedBytes: 0, passedBytes: 0 }));
  }
}

function world(): { damon: ModelDamon; tracker: DamonTracker; period: { ms: number }; said: string[] } {
  const said: string[] = [];
  const damon = new ModelDamon();
  const period = { ms: 1000 };
  const settings = {
    memcgFile: () => undefined,
    read: (file: string) => damon.files.get(file),
    write: (file: string, value: string) => {
      damon.write(file, value);
      damon.log.push(`${file} ${value}`);
    },
  };
  const borrowed = new BorrowedSettings(settings, { write: () => undefined });
  const say = (details: object, sentence: string): void => void said.push(`${sentence} ${JSON.stringify(details)}`);
  const log = { ...silentLog, warn: say, error: say };
  const surroundings = { kernel: { damon, settings, pageBytes: 4096 }, borrowed, log, periodMs: () => period.ms };
  return { damon, tracker: new DamonTracker(surroundings as unknown as TrackerSurroundings), period, said };
}

void t.test('makes a kdamond, turns it on, and takes it away again in the other order', async (t) => {
  const { damon, tracker } = world();
  await tracker.start();
  await tracker.stop();
  t.strictSame(damon.log, [
    'nr_kdamonds 1',
    'configure with nr_kdamonds 1, state off',
    'state on',
    'state off',
    'nr_kdamonds 0',
  ]);
});

void t.test('touches nothing where DAMON cannot be had, and says why', async (t) => {
  const { damon, tracker } = world();
  damon.whyNot = 'somebody else has a kdamond';
  await t.rejects(tracker.start(), { code: 'TRACKER_UNAVAILABLE', message: /somebody else has a kdamond/ });
  await tracker.stop();
  t.strictSame(damon.log, []);
});

void t.test('gives back what it took when the kernel refuses the rest', async (t) => {
  const { damon, tracker } = world();
  damon.configure = () => Promise.reject(new Error('EINVAL'));
  await t.rejects(tracker.start(), { code: 'TRACKER_UNAVAILABLE' });
  await tracker.stop();
  t.equal(damon.files.get('nr_kdamonds'), '0');
});

void t.test('shows the bands of a memcg once schemes for it were applied', async (t) => {
  const { damon, tracker } = world();
  await tracker.start();
  const seen = [seenMemcg(memcg, { anon: 300 })];
  await tracker.observe(seen, 1000, never());
  t.strictSame(tracker.cohorts(memcg), [], 'its schemes are only just there');
  damon.pass({ [anonFirstBand]: 200 });
  await tracker.observe(seen, 2000, never());
  t.strictSame(
    tracker.cohorts(memcg).map(({ pages, idleAtLeastMs }) => [pages, idleAtLeastMs]),
    [
      [100, 0],
      [200, 1000],
    ],
  );
  await tracker.observe(seen, 3000, never());
  t.equal(tracker.cohorts(memcg).length, 2, 'and keeps them when they were not applied since');
});

void t.test('follows the largest memcgs, and forgets those that are gone', async (t) => {
  const { damon, tracker } = world();
  await tracker.start();
  const many = Array.from({ length: 40 }, (_, index) => memcgOf(`/m${index}`, BigInt(index + 10)));
  await tracker.observe(
    many.map((one, index) => seenMemcg(one, { anon: index })),
    1000,
    never(),
  );
  t.equal(damon.plan?.schemes.length, bandSchemes(many.slice(-16)).length);
  const paths = new Set(
    damon.plan?.schemes.flatMap(({ filters }) => filters.flatMap((one) => (one.type === 'memcg' ? [one.path] : []))),
  );
  t.ok(paths.has('/m39') && paths.has('/m24') && !paths.has('/m23'));
  damon.pass({ 1: 5 });
  await tracker.observe(
    many.map((one, index) => seenMemcg(one, { anon: index })),
    2000,
    never(),
  );
  await tracker.observe([], 3000, never());
  t.strictSame(
    many.flatMap((one) => tracker.cohorts(one)),
    [],
  );
});

void t.test('a memcg whose place a larger one takes shows nothing any more', async (t) => {
  const { damon, tracker } = world();
  await tracker.start();
  const many = Array.from({ length: 16 }, (_, index) =>
    seenMemcg(memcgOf(`/m${index}`, BigInt(index + 10)), { anon: 100 }),
  );
  const look = (also: readonly ReturnType<typeof seenMemcg>[], atMs: number): Promise<void> =>
    tracker.observe([...many, ...also], atMs, never());
  await look([], 1000);
  damon.pass({ [anonFirstBand]: 50 });
  await look([seenMemcg(memcg, { anon: 200 })], 2000);
  t.equal(tracker.cohorts(many[0]!.memcg).length, 2, 'twice as large is not enough');
  await look([seenMemcg(memcg, { anon: 201 })], 3000);
  t.strictSame(tracker.cohorts(many[0]!.memcg), []);
});

void t.test('counts by a new scan period from when it is written', async (t) => {
  const { damon, tracker, period } = world();
  await tracker.start();
  await tracker.observe([seenMemcg(memcg, { anon: 300 })], 1000, never());
  period.ms = 4000;
  await tracker.observe([seenMemcg(memcg, { anon: 300 })], 2000, never());
  t.equal(damon.plan?.applyUs, 4_000_000);
});

void t.test('without a scan period there is no kdamond, and from the next look with one there is', async (t) => {
  const { damon, tracker, period } = world();
  const seen = [seenMemcg(memcg, { anon: 300 })];
  period.ms = 0;
  await tracker.start();
  await tracker.observe(seen, 1000, never());
  t.strictSame(damon.log, [], 'none was started');
  period.ms = 1000;
  await tracker.observe(seen, 2000, never());
  t.equal(damon.files.get('state'), 'on');
  damon.pass({ [anonFirstBand]: 200 });
  await tracker.observe(seen, 3000, never());
  t.equal(tracker.cohorts(memcg).length, 2);

  period.ms = 0;
  tracker.forget();
  t.strictSame(tracker.cohorts(memcg), []);
  await tracker.observe(seen, 4000, never());
  t.strictSame([damon.files.get('state'), damon.files.get('nr_kdamonds')], ['off', '0']);

  period.ms = 5000;
  await tracker.observe(seen, 5000, never());
  t.equal(damon.files.get('state'), 'on');
  t.equal(damon.plan?.applyUs, 5_000_000);
  t.equal(damon.plan?.schemes.length, bandSchemes([memcg]).length);
});

void t.test('a look that is at work ends before the kdamond is turned off', async (t) => {
  const { damon, tracker, period, said } = world();
  await tracker.start();
  const look = tracker.observe([seenMemcg(memcg, { anon: 300 })], 1000, never());
  period.ms = 0;
  tracker.forget();
  await look;
  await tracker.stop();
  t.strictSame(damon.log.slice(-3), ['state on', 'state off', 'nr_kdamonds 0']);
  t.strictSame(said, []);
});

void t.test('what stands in the way of turning it on again is said once, and tried again at each look', async (t) => {
  const { damon, tracker, period, said } = world();
  period.ms = 0;
  await tracker.start();
  period.ms = 1000;
  damon.whyNot = 'somebody else has a kdamond';
  for (const atMs of [1000, 2000]) await tracker.observe([], atMs, never());
  t.match(said, [/somebody else has a kdamond/]);
  t.strictSame(damon.log, []);
  damon.whyNot = undefined;
  await tracker.observe([], 3000, never());
  t.equal(damon.files.get('state'), 'on');
});

void t.test('a kdamond that somebody put in the place of its own is left alone, and that is said once', async (t) => {
  const { damon, tracker, period, said } = world();
  const seen = [seenMemcg(memcg, { anon: 300 })];
  await tracker.start();
  await tracker.observe(seen, 1000, never());
  damon.pass({ [anonFirstBand]: 200 });
  await tracker.observe(seen, 2000, never());
  for (const state of ['off', 'on']) damon.write('state', state);
  const before = [...damon.log];
  period.ms = 2000;
  for (const atMs of [3000, 4000]) await tracker.observe(seen, atMs, never());
  t.strictSame(tracker.cohorts(memcg), []);
  t.match(said, [/shows no ages any more.*not its own/]);
  await tracker.stop();
  t.strictSame(damon.log, before, 'nothing was written');
});

void t.test('nor does the end of the daemon touch it', async (t) => {
  const { damon, tracker, said } = world();
  await tracker.start();
  for (const state of ['off', 'on']) damon.write('state', state);
  const before = [...damon.log];
  await tracker.stop();
  t.match(said, [/DAMON is left as it is/]);
  t.strictSame(damon.log, before);
});

void t.test('after the scan period was 0 it has a kdamond again where DAMON is free', async (t) => {
  const { damon, tracker, period } = world();
  await tracker.start();
  damon.write('state', 'off');
  await tracker.observe([], 1000, never());
  await tracker.observe([], 2000, never());
  t.equal(damon.files.get('state'), 'off', 'somebody did not want it');
  damon.write('nr_kdamonds', '0');
  period.ms = 0;
  tracker.forget();
  period.ms = 1000;
  await tracker.observe([], 3000, never());
  t.equal(damon.files.get('state'), 'on');
});
