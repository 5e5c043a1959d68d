import t from 'tap';
import { gib } from '../../../src/kernel/simulated/bytes.js';
import { pages, type World, type WorldOptions, world } from './world.js';

/** mem-agent parses lru_gen once for each 64 pages: 4,096 times for a GiB. */
const most = 64;

/** Has the autopilot take what is cold. Answers how often lru_gen was parsed, whole or for one memcg, in the scan period of the run and in the one after it. */
async function listingsOf(options: WorldOptions, fill: (it: World) => void) {
  const it = await world({ swapBytes: gib(2), evictionMsPerMib: 1, ...options });
  const { lruGen } = it.machine.kernel;
  const count = { listings: 0, commands: 0 };
  const read = lruGen.read.bind(lruGen);
  const readOne = lruGen.readOne.bind(lruGen);
  lruGen.read = () => {
    count.listings++;
    return read();
  };
  lruGen.readOne = (path) => {
    count.listings++;
    return readOne(path);
  };
  it.machine.hooks.beforeEviction = () => void count.commands++;
  it.engine.autopilot.change({ settings: { disabled: false, swap: true, swappiness_max: 200, period_secs: 10 } });
  fill(it);
  for (let periods = 0; periods < 20 && count.commands === 0; periods++) {
    count.listings = 0;
    await it.periods(1);
  }
  await it.periods(1);
  const freedMib = Object.values(it.ledger('/test')).reduce((sum, one) => sum + one, 0) / pages(1);
  return { ...count, freedMib };
}

void t.test('a GiB of page cache', async (t) => {
  const { listings, commands, freedMib } = await listingsOf({}, ({ machine }) => machine.file('/test', { mib: 1024 }));
  t.equal(freedMib, 1024);
  t.ok(listings <= most && commands <= most, `${listings} listings, ${commands} commands`);
});

void t.test('a GiB of anonymous memory, on swap that takes it at once', async (t) => {
  for (const release of ['6.12.0', '7.2.0'])
    for (const zswap of [false, true]) {
      const { listings, commands, freedMib } = await listingsOf({ release, zswap }, ({ machine }) =>
        machine.anon('/test', { mib: 1024 }),
      );
      t.equal(freedMib, 1024);
      t.ok(listings <= most && commands <= most, `${release}: ${listings} listings, ${commands} commands`);
    }
});

void t.test('and beside page cache in the same generations that must not go', async (t) => {
  for (const release of ['6.12.0', '7.2.0']) {
    const { listings, commands, freedMib } = await listingsOf(
      { release, zswap: true, newCacheIsOld: true },
      ({ machine }) => {
        machine.anon('/test', { mib: 1024 });
        machine.file('/test', { mib: 64, dirty: true });
      },
    );
    t.ok(freedMib >= 1023, `${freedMib} MiB`);
    t.ok(listings <= most && commands <= most, `${release}: ${listings} listings, ${commands} commands`);
  }
});
