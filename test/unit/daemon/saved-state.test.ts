import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';
import { SavedState } from '../../../src/daemon/saved-state.js';
import { silentLog } from '../../../src/log.js';
import { type World, world } from '../engine/world.js';

const boot = 'b2c1';

/** An engine over a machine with these memcgs, its saved state in `folder`, and the warnings and errors that were logged. */
async function daemon(folder: string, { paths = ['/test'], bootId = boot } = {}) {
  const it = await world();
  for (const path of paths) it.machine.memcg(path);
  const said: string[] = [];
  const say = (_details: object, sentence: string): void => void said.push(sentence);
  const state = new SavedState(join(folder, 'state.json'), it.engine, bootId, { ...silentLog, warn: say, error: say });
  return { it, state, said };
}

/** What must survive, of a memcg and of the whole. */
function memory(it: World, path = '/test') {
  const memcg = it.at(path);
  return { global: it.engine.global, stats: it.engine.ownStats(memcg), controls: it.engine.controls.of(memcg) };
}

/** Fills an engine with something of everything. */
function fill(it: World, path = '/test'): void {
  Object.assign(it.engine.global, { flags: 1, batch: 64, hierarchy: 1, mode: 7, agePeriods: 9, nonrotAgePeriods: 3 });
  it.engine.ledger.add(it.at(path), { 'pagecache dropped': 2 ** 40, 'anon swap out': 4096 });
  it.engine.controls.set(it.at(path), { flags: 2n ** 64n - 1n, size: 2n ** 63n + 1n, lastAgePeriods: 255 });
}

void t.test('counters and controls survive the daemon, to the last bit', async (t) => {
  const folder = t.testdir();
  const before = await daemon(folder);
  fill(before.it);
  before.state.stop();
  t.equal(statSync(join(folder, 'state.json')).mode & 0o777, 0o600);
  t.same(readdirSync(folder), ['state.json'], 'nothing else is left behind');

  const after = await daemon(folder);
  after.state.load();
  t.same(memory(after.it), memory(before.it));
  t.same(after.said, []);
});

void t.test('memcgs with names of any bytes survive as well', async (t) => {
  const paths = ['/größe 日本', '/no UTF-8 \xff\xfe', '/line\nbreak'].map((path) =>
    path.includes('日') ? Buffer.from(path).toString('latin1') : path,
  );
  const folder = t.testdir();
  const before = await daemon(folder, { paths });
  for (const path of paths) fill(before.it, path);
  before.state.stop();
  const after = await daemon(folder, { paths });
  after.state.load();
  for (const path of paths) t.same(memory(after.it, path), memory(before.it, path), JSON.stringify(path));
});

void t.test('another memcg at an old path starts at zero', async (t) => {
  const folder = t.testdir();
  const before = await daemon(folder);
  fill(before.it);
  before.state.stop();
  const after = await daemon(folder, { paths: ['/earlier', '/test'] });
  after.state.load();
  t.same(memory(after.it).stats, {});
  t.equal(memory(after.it).controls.flags, 0n);
  t.equal(after.it.engine.global.batch, 64, 'what is of no memcg is taken over');
  t.same(after.it.engine.ledger.accounts(), []);
});

void t.test('the state of another boot is not taken over: inodes are given anew', async (t) => {
  const folder = t.testdir();
  const before = await daemon(folder);
  fill(before.it);
  before.state.stop();
  const after = await daemon(folder, { bootId: 'later' });
  after.state.load();
  t.same(memory(after.it).stats, {});
  t.equal(after.it.engine.global.batch, 32);
  t.same(after.said, [], 'which is as it should be');
});

void t.test('without a state all starts at zero, silently', async (t) => {
  const { it, state, said } = await daemon(t.testdir());
  state.load();
  t.same(memory(it).stats, {});
  t.same(said, []);
});

void t.test('a state that cannot be trusted is set aside, told of, and not used in part', async (t) => {
  const source = t.testdir();
  const before = await daemon(source);
  fill(before.it);
  before.state.stop();
  const good = readFileSync(join(source, 'state.json'), 'utf8');
  const bad: Record<string, string> = {
    empty: '',
    'no JSON': 'null and void',
    'cut off': good.slice(0, good.length / 2),
    'another version': good.replace('"version":1', '"version":2'),
    'an unknown key': good.replace('"boot"', '"boots":1,"boot"'),
    'an unknown row': good.replace('pagecache dropped', 'pagecache doubled'),
    'a negative counter': good.replace('4096', '-4096'),
    'a counter that is no number': good.replace('4096', '"4096"'),
    'half a byte': good.replace('4096', '4096.5'),
    'a batch of 0': good.replace('"batch":64', '"batch":0'),
    'half a batch': good.replace('"batch":64', '"batch":1.5'),
    'a threshold of 256': good.replace('"agePeriods":9', '"agePeriods":256'),
    'flags of 65 bits': good.replace('18446744073709551615', '18446744073709551616'),
    'an array': '[]',
  };
  for (const [name, text] of Object.entries(bad))
    await t.test(name, async (t) => {
      t.not(text, good);
      const folder = t.testdir({ 'state.json': text });
      const { it, state, said } = await daemon(folder);
      state.load();
      t.same(memory(it).stats, {});
      t.equal(it.engine.global.batch, 32);
      t.match(said, [/cannot be trusted: set aside/]);
      const [aside = ''] = readdirSync(folder);
      t.match(aside, /^state\.json\.set-aside-\d+$/);
      t.equal(readFileSync(join(folder, aside), 'utf8'), text, 'kept for people to look at');
    });
});

void t.test('it is written when something has changed, at most a second later, and not otherwise', async (t) => {
  const folder = t.testdir();
  const file = join(folder, 'state.json');
  const { it, state } = await daemon(folder);
  state.start();
  t.teardown(() => state.stop());
  fill(it);
  for (const end = Date.now() + 10_000; !existsSync(file) && Date.now() < end;) await sleep(20);
  t.match(JSON.parse(readFileSync(file, 'utf8')), { global: { batch: 64 } });
  rmSync(file);
  state.save();
  t.notOk(existsSync(file), 'nothing has changed');
  it.engine.global.batch = 65;
  state.save();
  t.ok(existsSync(file));
});

void t.test('a state that cannot be written is told of, and written when it can be', async (t) => {
  const folder = t.testdir();
  const missing = join(folder, 'missing');
  writeFileSync(missing, 'a file where a folder should be');
  const { it, state, said } = await daemon(missing);
  fill(it);
  t.doesNotThrow(() => state.stop());
  t.match(said, [/could not be saved/]);
  rmSync(missing);
  t.testdir({ missing: {} });
  state.save();
  t.ok(existsSync(join(missing, 'state.json')));
});

void t.test('a state that cannot be read is told of, and no more', async (t: Test) => {
  const folder = t.testdir({ 'state.json': {} });
  const { it, state, said } = await daemon(folder);
  t.doesNotThrow(() => state.load());
  t.match(said, [/set aside/]);
  t.same(memory(it).stats, {});
});

void t.test('what the files of kidled hold survives too: buckets, use_hierarchy, scan_target', async (t) => {
  const folder = t.testdir();
  const before = await daemon(folder, { paths: ['/test', '/off', '/default'] });
  before.it.engine.kidled.useHierarchy = 1;
  before.it.engine.kidled.scanTarget = 3;
  before.it.engine.kidled.setBuckets(before.it.at('/test'), [5, 10]);
  before.it.engine.kidled.setBuckets(before.it.at('/off'), []);
  before.state.stop();
  const after = await daemon(folder, { paths: ['/test', '/off', '/default'] });
  after.state.load();
  const { kidled } = after.it.engine;
  t.same([kidled.useHierarchy, kidled.scanTarget], [1, 3]);
  t.same(
    ['/test', '/off', '/default'].map((path) => kidled.bucketsOf(after.it.at(path)).join()),
    ['5,10', '', '1,2,5,15,30,60,120,240'],
  );
  t.same(after.said, []);
});

void t.test('each memcg has its own buckets after a restart, whatever those of its parent are', async (t) => {
  const paths = ['/p/default', '/p/same', '/p/own/deep/er', '/unseen/before'];
  const all = ['/', '/p', ...paths, '/p/own', '/p/own/deep', '/unseen'];
  const folder = t.testdir();
  const before = await daemon(folder, { paths });
  const set = (path: string, ...buckets: number[]): void =>
    before.it.engine.kidled.setBuckets(before.it.at(path), buckets);
  const shown = (it: World): string[] =>
    all.map((path) => `${path}: ${it.engine.kidled.bucketsOf(it.at(path)).join()}`);
  // What was set last is saved last: it must not come too late for those that inherit it.
  set('/p/own/deep/er', 3);
  set('/p', 5, 10);
  set('/p/same', 5, 10);
  set('/p/own', 7);
  set('/p/own/deep', 7);
  set('/', 9);
  before.state.stop();
  const after = await daemon(folder, { paths });
  after.state.load();
  t.same(shown(after.it), shown(before.it));
  t.match(shown(after.it), ['/: 9', '/p: 5,10', '/p/default: 1,2,5']);
});

void t.test('resets with the buckets that a memcg has do not fill the file', async (t) => {
  const folder = t.testdir();
  const { it, state } = await daemon(folder, { paths: ['/p/a', '/p/b'] });
  for (const path of ['/', '/p', '/p/a'])
    it.engine.kidled.setBuckets(it.at(path), it.engine.kidled.bucketsOf(it.at(path)));
  t.match(JSON.parse(state.text()), { memcgs: [] });
  t.same(it.engine.kidled.customBuckets(), []);
});

void t.test('a file of before there was kidled is taken as it is; buckets that are none are not', async (t) => {
  const folder = t.testdir();
  const file = join(folder, 'state.json');
  const before = await daemon(folder);
  before.it.engine.kidled.setBuckets(before.it.at('/test'), [5, 10]);
  before.state.stop();
  const { kidled, scanPeriod, memcgs, ...others } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  t.ok(kidled && scanPeriod);
  writeFileSync(file, JSON.stringify({ ...others, memcgs: [] }));
  const old = await daemon(folder);
  old.state.load();
  t.same(old.said, []);
  for (const buckets of [[10, 5], [0], [256], [1, 2, 3, 4, 5, 6, 7, 8, 9]]) {
    const wrong = (memcgs as object[]).map((memcg) => ({ ...memcg, buckets }));
    writeFileSync(file, JSON.stringify({ ...others, memcgs: wrong }));
    const after = await daemon(folder);
    after.state.load();
    t.match(after.said, [/cannot be trusted/], JSON.stringify(buckets));
  }
});
