import t from 'tap';
import type { PeriodEnd } from '../../../src/engine/autopilot-book.js';
import { mib } from '../../../src/kernel/simulated/bytes.js';
import { pages, type World, type WorldOptions, world } from './world.js';

/** A world whose autopilot swaps without regard to page cache, and the types of all its commands. */
async function swapping(options: WorldOptions = {}) {
  const it = await world({ evictionMsPerMib: 2, ...options });
  const commands: string[] = [];
  it.machine.hooks.beforeEviction = ({ swappiness }) => void commands.push(String(swappiness));
  it.engine.autopilot.change({ settings: { disabled: false, swap: true, swappiness_max: 200, period_secs: 10 } });
  return { it, commands };
}

function ends(it: World): ReadonlyMap<PeriodEnd, number> {
  return [...it.engine.autopilot.book.all()].find(({ memcg }) => memcg.path === '/test')?.ends ?? new Map();
}

void t.test('swap that is removed in the middle of a run ends it as no_swap; page cache goes on', async (t) => {
  for (const afterCommands of [1, 2, 3]) {
    const { it, commands } = await swapping();
    const anon = it.machine.anon('/test', { mib: 256 });
    it.machine.hooks.afterEviction = () => {
      if (commands.length === afterCommands) it.machine.swapoff();
    };
    for (let tenths = 0; tenths < 1000 && commands.length < afterCommands; tenths++) await it.periods(0.1);
    await it.periods(0.5);
    t.same(commands, Array(afterCommands).fill('anon'), 'no command after swap was removed');
    t.equal(ends(it).get('no_swap'), 1);
    t.notOk(ends(it).has('in_use'), 'what came back was not used');
    const later = it.machine.file('/test', { mib: 16 });
    await it.periods(6);
    t.equal(it.machine.where(later).storage, pages(16), 'the loop goes on');
    t.equal(it.machine.where(anon).memory, pages(256));
    t.notOk(commands.slice(afterCommands).includes('anon'));
    t.notOk(ends(it).has('error'));
  }
});

void t.test('all memory cold, and less swap than anonymous memory: what fits goes, then no_swap', async (t) => {
  const { it, commands } = await swapping({ swapBytes: mib(64) });
  const anon = it.machine.anon('/test', { mib: 256 });
  const file = it.machine.file('/test', { mib: 64 });
  await it.periods(6);
  t.equal(it.machine.where(file).storage, pages(64));
  const { swap } = it.machine.where(anon);
  t.ok(swap > pages(62) && swap <= pages(64), `${swap} pages in swap`);
  t.ok(ends(it).has('no_swap'));
  const given = commands.length;
  const later = it.machine.file('/test', { mib: 16 });
  await it.periods(6);
  t.equal(it.machine.where(later).storage, pages(16), 'the loop goes on');
  t.notOk(commands.slice(given).includes('anon'));
  for (const end of ['in_use', 'error'] as const) t.notOk(ends(it).has(end), end);
});
