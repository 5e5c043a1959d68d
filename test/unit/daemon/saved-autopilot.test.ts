import t from 'tap';
import { overlaid, type WholeAutopilotStart } from '../../../src/daemon/autopilot-start.js';
import { SavedAutopilot, savedAutopilotSchema } from '../../../src/daemon/saved-autopilot.js';
import { silentLog } from '../../../src/log.js';
import { world } from '../engine/world.js';

type Saved = ReturnType<SavedAutopilot['saved']>;

const override = (path: string) => ({ path, nodes: [], noSubdir: false, settings: { swap: true } });

/** A daemon's autopilot, started with a launch over what an earlier daemon saved. */
async function started(launched: WholeAutopilotStart, saved?: Saved, { psi = true } = {}) {
  const it = await world({ capabilities: { psi } });
  const kept = new SavedAutopilot(it.engine, silentLog);
  kept.launched = launched;
  kept.restore(saved);
  const { autopilot, compactor } = it.engine;
  /** As the state file has it. */
  const save = (): Saved => savedAutopilotSchema.parse(JSON.parse(JSON.stringify(kept.saved())));
  return { it, kept, autopilot, compactor, save };
}

void t.test('what was changed by hand stays over a restart, until the launch says something else', async (t) => {
  const launched = overlaid({ memcg: { period_secs: 60 }, compact: {}, overrides: [override('/a')] });
  const first = await started(launched);
  first.autopilot.change({ settings: { period_secs: 30, swap: true }, overrides: [override('/b')] });
  first.compactor.change({ compact_force_times: 5 });

  const again = await started(launched, first.save());
  t.match(again.autopilot.settings, { period_secs: 30, swap: true });
  t.match(again.compactor.settings, { compact_force_times: 5, compact_sec_max: 300 });
  t.same(again.autopilot.overrides, [override('/b')]);

  const relaunched = overlaid({ memcg: { period_secs: 120 }, compact: {}, overrides: [override('/c')] });
  const other = await started(relaunched, first.save());
  t.match(other.autopilot.settings, { period_secs: 120, swap: true });
  t.same(other.autopilot.overrides, [override('/c')]);
});

void t.test('what the launch said in between is remembered as what it said', async (t) => {
  const [at60, at90] = [60, 90].map((period_secs) => overlaid({ memcg: { period_secs }, compact: {} }));
  if (!at60 || !at90) return;
  const daemon = await started(at60);
  daemon.autopilot.change({ settings: { period_secs: 90 } });
  daemon.kept.relaunched(at90, { memcg: { period_secs: 90 }, compact: {} });
  t.match((await started(at60, daemon.save())).autopilot.settings, { period_secs: 60 }, 'it says something else now');
  daemon.autopilot.change({ settings: { period_secs: 30 } });
  t.match((await started(at90, daemon.save())).autopilot.settings, { period_secs: 30 }, 'by hand, since');
});

void t.test('saved values that are not allowed any more are left out', async (t) => {
  const launched = overlaid({ memcg: { period_secs: 60 }, compact: {} });
  const saved = (await started(launched)).save();
  const wrong = { ...saved, now: { ...saved.now, memcg: { ...saved.now.memcg, swappiness_max: '500' } } };
  t.match((await started(launched, wrong)).autopilot.settings, { period_secs: 60, swappiness_max: 50 });
});

void t.test(
  'without pressure stall information the autopilot stays off with a sentence, and the rest starts',
  async (t) => {
    const { it } = await started(
      overlaid({ memcg: { disabled: false, period_secs: 60 }, compact: { disabled: false } }),
      undefined,
      { psi: false },
    );
    t.match(it.engine.autopilot.settings, { disabled: true, period_secs: 60 });
    t.match(it.problems()[0], /^mem_agent: .*boot with psi=1/);
  },
);

void t.test('what one kernel cannot do is done again on the next that can, by the same command', async (t) => {
  const on = { disabled: false };
  const launched = overlaid({ memcg: on, compact: on, overrides: [override('/a')] });
  const able = await started(launched);
  able.autopilot.change({ overrides: [override('/a'), override('/b')] });
  const unable = await started(launched, able.save(), { psi: false });
  t.match(unable.autopilot.settings, { disabled: true });
  unable.autopilot.change({ settings: { period_secs: 33 } });
  const stillUnable = await started(launched, unable.save(), { psi: false });

  const again = await started(launched, stillUnable.save());
  t.match(again.autopilot.settings, { disabled: false, period_secs: 33 }, 'and what was changed meanwhile stays');
  t.match(again.compactor.settings, on);
  t.same(again.autopilot.overrides, [override('/a'), override('/b')]);

  stillUnable.kept.relaunched(overlaid({ memcg: {}, compact: on }), {
    memcg: { disabled: true },
    compact: {},
    overrides: [],
  });
  const turnedOff = await started(overlaid({ memcg: {}, compact: on }), stillUnable.save());
  t.match(turnedOff.autopilot.settings, { disabled: true }, 'a launch that turned it off meanwhile counts');
  t.match(turnedOff.compactor.settings, on);
  t.same(turnedOff.autopilot.overrides, []);
});
