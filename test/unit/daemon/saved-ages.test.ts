import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SavedAges, sinceBootMs } from '../../../src/daemon/saved-ages.js';
import { Engine } from '../../../src/engine/engine.js';
import { defaultEngineSettings } from '../../../src/engine/engine-settings.js';
import { agePeriodsOf } from '../../../src/engine/histogram.js';
import { SimulatedClock } from '../../../src/kernel/simulated/clock.js';
import { silentLog } from '../../../src/log.js';
import { never, pages, periodMs, type World, world } from '../engine/world.js';

const boot = 'b2c1';

/** The saved ages of an engine in `folder`; its clock is behind the time since boot by so much. And the warnings. */
function saved(folder: string, engine: Engine, { bootId = boot, offsetMs = 1_000_000 } = {}) {
  const said: string[] = [];
  const say = (_fields: object, sentence: string): void => void said.push(sentence);
  const log = { ...silentLog, warn: say, error: say };
  return { ages: new SavedAges(join(folder, 'ages.json'), engine, bootId, offsetMs, log), said };
}

/** Another daemon on the same machine, whose clock began later. Ages are those after its first look. */
async function nextDaemon(it: World, folder: string, options?: { bootId?: string }) {
  const clock = new SimulatedClock(it.clock.nowMs());
  const settings = { ...defaultEngineSettings, scanPeriodMs: periodMs };
  const capabilities = await it.machine.kernel.capabilities();
  const engine = new Engine(it.machine.kernel, clock, capabilities, settings, { write: () => undefined }, silentLog);
  const { ages, said } = saved(folder, engine, options);
  ages.load();
  void engine.run(never());
  await clock.advance(0);
  return { engine, said, clock };
}

/** Pages by age in periods. */
function agesOf(engine: Engine, it: World, path = '/test'): Record<string, number> {
  const ages: Record<string, number> = {};
  for (const one of engine.tracker.cohorts(it.at(path))) {
    const age = agePeriodsOf(one, periodMs);
    ages[age] = (ages[age] ?? 0) + one.pages;
  }
  return ages;
}

/** Three sets of anonymous memory that came ten periods apart: all is in the oldest generation by now. */
async function aged(): Promise<World> {
  const it = await world();
  for (const mib of [1, 2, 4]) {
    it.machine.anon('/test', { mib });
    await it.periods(10);
  }
  return it;
}

void t.test('ages survive the daemon, those that only their history tells apart as well', async (t) => {
  const folder = t.testdir();
  const it = await aged();
  const before = agesOf(it.engine, it);
  t.same(Object.values(before).sort(), [pages(1), pages(2), pages(4)].sort());
  await saved(folder, it.engine).ages.stop();
  t.same(readdirSync(folder), ['ages.json']);
  t.equal(statSync(join(folder, 'ages.json')).mode & 0o777, 0o600);
  const { engine, said } = await nextDaemon(it, folder);
  t.same(agesOf(engine, it), before);
  t.same(said, []);
});

void t.test('what happened meanwhile is found out by the first look', async (t) => {
  const folder = t.testdir();
  const it = await aged();
  await saved(folder, it.engine).ages.stop();
  it.machine.anon('/test', { mib: 8 });
  const { engine } = await nextDaemon(it, folder);
  const ages = agesOf(engine, it);
  t.equal(ages[0], pages(8));
  t.equal(
    Object.values(ages).reduce((sum, count) => sum + count, 0),
    pages(15),
  );
});

void t.test('ages of another boot, or of a memcg that is another one now, are not taken', async (t) => {
  const folder = t.testdir();
  const it = await aged();
  await saved(folder, it.engine).ages.stop();
  const other = await nextDaemon(it, folder, { bootId: 'other' });
  t.ok(Object.keys(agesOf(other.engine, it)).length < 3, 'what is in the oldest generation is of one age now');
  it.machine.rmdir('/test');
  it.machine.anon('/test', { mib: 2 });
  const { engine } = await nextDaemon(it, folder);
  t.same(agesOf(engine, it), { 0: pages(2) });
});

void t.test('names of any bytes, and a memcg that rests, are kept as well', async (t) => {
  const folder = t.testdir();
  const it = await world();
  const path = '/no UTF-8 \xff\xfe\nand a line';
  it.machine.anon(path, { mib: 2 });
  await it.periods(20);
  await saved(folder, it.engine).ages.stop();
  const { engine } = await nextDaemon(it, folder);
  t.same(agesOf(engine, it, path), agesOf(it.engine, it, path));
});

void t.test('a file that cannot be trusted is set aside with a warning', async (t) => {
  const it = await aged();
  const good = t.testdir();
  await saved(good, it.engine).ages.stop();
  const text = readFileSync(join(good, 'ages.json'), 'utf8');
  const broken = [
    text.slice(0, -20),
    text.replace('"version":1', '"version":2'),
    text.replace(/"inode":"\d+"/, '"inode":"-1"'),
    text.replace(/"generations":\[/, '"generations":[[],'),
    text.replace(/\[\[(\d+),/, '[[-5,'),
    'no JSON',
    '{}',
  ];
  for (const [index, wrong] of broken.entries()) {
    t.not(wrong, text, `${index}`);
    const folder = t.testdir();
    writeFileSync(join(folder, 'ages.json'), wrong);
    const { said } = await nextDaemon(it, folder);
    t.match(said, [/cannot be trusted: set aside/], wrong.slice(0, 60));
    t.notOk(existsSync(join(folder, 'ages.json')));
    t.match(readdirSync(folder), [/^ages\.json\.set-aside-/]);
  }
});

void t.test('a folder that cannot be written is said, and nothing else fails', async (t) => {
  const it = await aged();
  const { ages, said } = saved('/proc/nowhere', it.engine);
  await ages.stop();
  t.match(said, [/could not be saved/]);
});

void t.test('the time since boot goes on from one process to the next', async (t) => {
  const uptimeMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
  t.ok(sinceBootMs() > 0 && sinceBootMs() <= uptimeMs + 1000);
});
