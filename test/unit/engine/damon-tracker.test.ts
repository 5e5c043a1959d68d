import t from 'tap';
import { BorrowedSettings } from '../../../src/engine/borrowed-settings.js';
import { bandSchemes } from '../../../src/engine/damon-bands.js';
import { DamonTracker } from '../../../src/engine/damon-tracker.js';
import type { TrackerSurroundings } from '../../../src/engine/tracker-surroundings.js';
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
  readonly files = new Map([
    [this.countFile, '0'],
    [this.stateFile, 'off'],
  ]);
  readonly log: string[] = [];
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

  obstacle = async (): Promise<string | undefined> => this.whyNot;
  configure = async (plan: DamonPlan): Promise<number> => {
    this.#take(plan);
    this.log.push(
      `configure with nr_kdamonds ${this.files.get(this.countFile)}, state ${this.files.get(this.stateFile)}`,
    );
    return regionBytes;
  };
  replaceSchemes = async (plan: DamonPlan): Promise<void> => {
    this.#take(plan);
    this.log.push(`replace: ${plan.schemes.length}`);
  };
  stats = async (schemes: number): Promise<DamonStat[]> => this.#stats.slice(0, schemes);

  #take(plan: DamonPlan): void {
    this.plan = plan;
    this.#stats = plan.schemes.map(() => ({ triedBytes: 0, passedBytes: 0 }));
  }
}

function world(): { damon: ModelDamon; tracker: DamonTracker; period: { ms: number } } {
  const damon = new ModelDamon();
  const period = { ms: 1000 };
  const settings = {
    memcgFile: () => undefined,
    read: (file: string) => damon.files.get(file),
    write: (file: string, value: string) => {
      damon.files.set(file, value);
      damon.log.push(`${file} ${value}`);
    },
  };
  const borrowed = new BorrowedSettings(settings, { write: () => undefined });
  const surroundings = { kernel: { damon, pageBytes: 4096 }, borrowed, periodMs: () => period.ms };
  return { damon, tracker: new DamonTracker(surroundings as unknown as TrackerSurroundings), period };
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
