import t from 'tap';
import { mib } from '../../../src/kernel/simulated/bytes.js';
import { pages, type World, world, type WorldOptions } from './world.js';

const ignoring = 0x13_0000_0000n;

/** Two memcgs with 16 MiB of page cache each that came a moment ago. */
async function fresh({ mode = 1, ignoreAge = 'on', flagsGate = 'off' }: WorldOptions['settings'] & { mode?: number }) {
  const it = await world({ settings: { ignoreAge, flagsGate } });
  it.engine.global.mode = mode;
  await it.periods(3);
  for (const path of ['/pod', '/pod/app']) {
    it.machine.file(path, { mib: 16 });
    it.machine.anon(path, { mib: 8, touchedEveryMs: 200 });
  }
  await it.periods(0.2);
  return it;
}

function freed(it: World, path: string): number {
  return Object.values(it.ledger(path)).reduce((sum, one) => sum + one, 0);
}

void t.test('bit 36 of a memcg’s flags: pages of any age, its own types, and all below it', async (t) => {
  const it = await fresh({ mode: 0 });
  it.engine.noteColdness(it.at('/pod'), { flags: ignoring });
  await it.reclaim('/pod', 200, mib(4));
  t.equal(freed(it, '/pod'), pages(4));
  t.equal(freed(it, '/pod/app'), pages(16), 'without a limit, and not what is in use');
  t.same(it.problems(), []);
});

void t.test('bit 1 of flags: every memcg, by mode', async (t) => {
  const it = await fresh({});
  it.engine.global.flags = 2;
  await it.reclaimAll(200);
  t.same([freed(it, '/pod'), freed(it, '/pod/app')], [pages(16), pages(16)]);
});

void t.test('with the strict gate bit 1 of flags alone does nothing: the memcg must have bit 36', async (t) => {
  const it = await fresh({ flagsGate: 'strict' });
  it.engine.global.flags = 2;
  it.engine.noteColdness(it.at('/pod/app'), { flags: ignoring });
  await it.reclaimAll(200);
  t.same([freed(it, '/pod'), freed(it, '/pod/app')], [0, pages(16)]);
});

void t.test('without the setting the bits mean nothing', async (t) => {
  const it = await fresh({ ignoreAge: 'off' });
  it.engine.global.flags = 2;
  it.engine.noteColdness(it.at('/pod'), { flags: ignoring });
  await it.reclaim('/pod', 200);
  t.same([freed(it, '/pod'), freed(it, '/pod/app')], [0, 0]);
  t.notOk(it.engine.needsNoThreshold(it.at('/pod')));
});
