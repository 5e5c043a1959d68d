import t from 'tap';
import { AgingBudget } from '../../../src/engine/aging-budget.js';
import { SimulatedClock } from '../../../src/kernel/simulated/clock.js';
import { silentLog } from '../../../src/log.js';

/** A budget of 2 % with rounds of 10 s that cost what is asked, and what it logged. */
function budget({ warmUpRounds = 0 } = {}) {
  const clock = new SimulatedClock();
  const said: string[] = [];
  const say = (_fields: object, sentence: string): void => void said.push(sentence);
  const it = new AgingBudget(
    clock,
    () => 2,
    { ...silentLog, warn: say, info: say },
    () => clock.nowMs(),
    warmUpRounds,
  );
  const rounds = async (count: number, costMs: number, lengthMs = 10_000): Promise<void> => {
    for (let round = 0; round < count; round++) {
      const working = it.spend(() => clock.sleep(costMs));
      await clock.advance(costMs);
      await working;
      await clock.advance(lengthMs - costMs);
      it.endRound();
    }
  };
  return { it, said, rounds, clock };
}

void t.test('within the budget nothing is stretched, and nothing said', async (t) => {
  const { it, said, rounds } = budget();
  await rounds(20, 150);
  t.equal(it.stretch, 1);
  t.equal(Math.round((it.usedPercent ?? 0) * 10), 15);
  t.same(said, []);
});

void t.test('one slow round is none', async (t) => {
  const { it, rounds } = budget();
  await rounds(1, 700);
  t.equal(it.stretch, 1, 'too early to judge');
  await rounds(3, 10);
  t.equal(it.stretch, 1);
});

void t.test('beyond it intervals are stretched so that the cost fits, with a line in the log', async (t) => {
  const { it, said, rounds } = budget();
  await rounds(4, 800);
  t.equal(it.stretch, 2, 'twice at a time');
  await rounds(4, 800, 20_000);
  t.equal(it.stretch, 4);
  t.match(said, [/more than scan_cpu_percent \(2\).*stretched/, /stretched/]);
  await rounds(4, 800, 40_000);
  t.equal(it.stretch, 4, 'that is what it costs now');
  t.equal(said.length, 2, 'and it is said once');
});

void t.test('the first rounds are not judged', async (t) => {
  const { it, rounds } = budget({ warmUpRounds: 2 });
  await rounds(2, 5000);
  await rounds(4, 100);
  t.equal(it.stretch, 1);
});

void t.test('they are shorter again when it costs less, but never than what was asked', async (t) => {
  const { it, said, rounds } = budget();
  await rounds(4, 800);
  await rounds(4, 100, 40_000);
  t.equal(it.stretch, 1);
  t.match(said, [/stretched/, /shorter again/]);
  await rounds(20, 1);
  t.equal(it.stretch, 1);
});

void t.test('waiting is no cost: it counts what the processor did', async (t) => {
  const clock = new SimulatedClock();
  const it = new AgingBudget(
    clock,
    () => 2,
    silentLog,
    () => 0,
  );
  for (let round = 0; round < 8; round++) {
    const working = it.spend(() => clock.sleep(5000));
    await clock.advance(5000);
    await working;
    it.endRound();
  }
  t.equal(it.stretch, 1);
});

void t.test('work that fails counts and fails', async (t) => {
  const { it } = budget();
  await t.rejects(
    it.spend(() => Promise.reject(new Error('EIO'))),
    { message: 'EIO' },
  );
});

void t.test('rounds that last longer than asked are no reason to stretch, but are told', async (t) => {
  const { it, said } = budget();
  it.endRound(3);
  t.equal(it.roundStretch, 1, 'one slow round is none');
  for (const lasted of [3, 2.5, 3]) it.endRound(lasted);
  t.equal(it.roundStretch, 2.5);
  t.equal(it.stretch, 1);
  for (const lasted of [1.05, 1.05, 3]) it.endRound(lasted);
  t.match(said, [/lasts longer/]);
  it.endRound(0.4);
  t.match(said, [/lasts longer/, /no longer/]);
  t.equal(it.roundStretch, 1);
});
