import t from 'tap';
import { overlaid } from '../../../src/daemon/autopilot-start.js';
import { restoreAutopilot, savedAutopilot, savedAutopilotSchema } from '../../../src/daemon/saved-autopilot.js';
import { silentLog } from '../../../src/log.js';
import { world } from '../engine/world.js';

const override = (path: string) => ({ path, nodes: [], noSubdir: false, settings: { swap: true } });

void t.test('what was changed by hand stays over a restart, until the launch says something else', async (t) => {
  const launched = overlaid({ memcg: { period_secs: 60 }, compact: {}, overrides: [override('/a')] });
  const first = (await world()).engine;
  restoreAutopilot(first, launched, undefined, silentLog);
  first.autopilot.change({ settings: { period_secs: 30, swap: true }, overrides: [override('/b')] });
  first.compactor.change({ compact_force_times: 5 });
  const saved = savedAutopilotSchema.parse(JSON.parse(JSON.stringify(savedAutopilot(first, launched))));

  const again = (await world()).engine;
  restoreAutopilot(again, launched, saved, silentLog);
  t.match(again.autopilot.settings, { period_secs: 30, swap: true });
  t.match(again.compactor.settings, { compact_force_times: 5, compact_sec_max: 300 });
  t.same(again.autopilot.overrides, [override('/b')]);

  const other = (await world()).engine;
  const relaunched = overlaid({ memcg: { period_secs: 120 }, compact: {}, overrides: [override('/c')] });
  restoreAutopilot(other, relaunched, saved, silentLog);
  t.match(other.autopilot.settings, { period_secs: 120, swap: true });
  t.same(other.autopilot.overrides, [override('/c')]);
});

void t.test('saved values that are not allowed any more are left out', async (t) => {
  const { engine } = await world();
  const launched = overlaid({ memcg: { period_secs: 60 }, compact: {} });
  const saved = savedAutopilot(engine, launched);
  restoreAutopilot(
    engine,
    launched,
    { ...saved, now: { ...saved.now, memcg: { ...saved.now.memcg, swappiness_max: '500' } } },
    silentLog,
  );
  t.match(engine.autopilot.settings, { period_secs: 60, swappiness_max: 50 });
});

void t.test(
  'without pressure stall information the autopilot stays off with a sentence, and the rest starts',
  async (t) => {
    const it = await world({ capabilities: { psi: false } });
    restoreAutopilot(
      it.engine,
      overlaid({ memcg: { disabled: false, period_secs: 60 }, compact: { disabled: false } }),
      undefined,
      silentLog,
    );
    t.match(it.engine.autopilot.settings, { disabled: true, period_secs: 60 });
    t.match(it.problems()[0], /^mem_agent: .*boot with psi=1/);
  },
);
