import t from 'tap';
import { never, pages, world } from './world.js';

/**
 * A memcg with cold page cache, which the autopilot takes, and cold anonymous memory, which a write of the threshold takes: so commands tell whose they
 * are. `asked` is called once, in the middle of the first run, and how many commands there were until then is noted.
 */
async function contended(periodSecs: number) {
  const it = await world({ evictionMsPerMib: 20 });
  it.engine.global.mode = 2;
  it.engine.autopilot.change({ settings: { disabled: false, period_secs: periodSecs } });
  const file = it.machine.file('/test', { mib: 256 });
  const anon = it.machine.anon('/test', { mib: 256 });
  const run = { commands: [] as ('autopilot' | 'write')[], asked: undefined as (() => void) | undefined, before: 0 };
  it.machine.hooks.beforeEviction = ({ swappiness }) => {
    run.commands.push(swappiness === 'file' ? 'autopilot' : 'write');
    if (!run.asked || run.commands.length < 2) return;
    run.asked();
    run.asked = undefined;
    run.before = run.commands.length;
  };
  const write = (): Promise<void> => it.engine.reclaimMemcg(it.at('/test'), 1, Infinity, never());
  const gone = (): number[] => [it.machine.where(file).storage, it.machine.where(anon).swap];
  return { it, run, write, gone };
}

void t.test('a write while the autopilot evicts: its first command comes after the autopilot’s last', async (t) => {
  const { it, run, write, gone } = await contended(10);
  let written: Promise<void> | undefined;
  run.asked = () => void (written = write());
  while (!written) await it.clock.advance(100);
  await it.clock.finish(written);
  const { commands, before } = run;
  const last = commands.lastIndexOf('autopilot');
  t.equal(commands[0], 'autopilot');
  t.ok(last > before, `the autopilot was busy: ${last + 1 - before} of its commands came after the write`);
  t.ok(commands.indexOf('write') > last, commands.join(' '));
  t.same(gone(), [pages(256), pages(256)], 'both did their work');
});

void t.test('the autopilot while a write evicts: its first command comes after the last of the write', async (t) => {
  const { it, run, write, gone } = await contended(60);
  it.machine.pressure('/test', { memory: 0.5 });
  it.engine.autopilot.change({ settings: { period_psi_percent_limit: 0 } });
  await it.clock.advance(200_000);
  t.same(run.commands, [], 'pressure keeps all memory for the write');
  it.engine.autopilot.change({ settings: { period_psi_percent_limit: 1 } });
  let ended: Promise<void> | undefined;
  run.asked = () => void (ended = it.engine.autopilot.runNow(never()));
  await it.clock.finish(write());
  await it.clock.finish(Promise.resolve(ended));
  const { commands, before } = run;
  const last = commands.lastIndexOf('write');
  t.equal(commands[0], 'write');
  t.ok(last > before, `the write was busy: ${last + 1 - before} of its commands came after the autopilot was asked`);
  t.ok(commands.indexOf('autopilot') > last, commands.join(' '));
  t.same(gone(), [pages(256), pages(256)], 'both did their work');
});
