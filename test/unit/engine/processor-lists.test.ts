import t from 'tap';
import { drainProcessorLists } from '../../../src/engine/processor-lists.js';
import { silentLog } from '../../../src/log.js';
import { never, refused, world } from './world.js';

void t.test('free pages in the lists of the processors come out part by part, until no more come', async (t) => {
  const { machine } = await world();
  Object.assign(machine.fragmentation, { inProcessorLists: 10_000, drainedAtOnce: 2016 });
  await drainProcessorLists(machine.kernel, silentLog);
  t.equal(machine.fragmentation.inProcessorLists, 0);
  t.equal(machine.fragmentation.blocks[0], 10_000);
});

void t.test('processors that always have more are not asked for ever', async (t) => {
  const { machine } = await world();
  Object.assign(machine.fragmentation, { inProcessorLists: Infinity, drainedAtOnce: 600 });
  await drainProcessorLists(machine.kernel, silentLog);
  t.equal(machine.fragmentation.blocks[0], 60_000);
});

void t.test('where the kernel refuses they stay there, and the log says so', async (t) => {
  const { machine } = await world();
  const lines: string[] = [];
  machine.fragmentation.inProcessorLists = 4096;
  machine.failNext('drainProcessorLists', refused('EINVAL', 'no'));
  await drainProcessorLists(machine.kernel, { ...silentLog, warn: (_details, line) => void lines.push(line) });
  t.equal(machine.fragmentation.inProcessorLists, 4096);
  t.same(lines, ['free pages stay in the lists of the processors']);
});

void t.test('a compaction joins what was in them', async (t) => {
  const it = await world();
  it.machine.fragmentation.inProcessorLists = 4096;
  it.engine.compactor.change({ disabled: false, period_secs: 100, compact_force_times: 0 });
  await it.clock.finish(it.engine.compactor.runNow(never()));
  t.match(it.engine.compactor.lastRun, { outcome: 'done', blocksGained: 8 });
});
