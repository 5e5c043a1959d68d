import t from 'tap';
import { defaultRestartPolicy, restartAfter } from '../../../src/daemon/restart-policy.js';

void t.test('the first crash is followed by a restart at once, the next ones by longer and longer waits', async (t) => {
  t.same(restartAfter([5_000]), { delayMs: 0, lastStateOnly: false });
  t.same(restartAfter([0, 1_000]), { delayMs: 100, lastStateOnly: false });
  t.same(restartAfter([0, 1_000, 2_000]), { delayMs: 500, lastStateOnly: false });
  t.same(restartAfter([0, 1_000, 2_000, 3_000]), { delayMs: 2_000, lastStateOnly: false });
});

void t.test(
  'the fifth within a minute by one that only shows the last state; that one is started again, but not in haste',
  async (t) => {
    t.same(restartAfter([0, 1, 2, 3, 59_999]), { delayMs: 0, lastStateOnly: true });
    t.same(restartAfter([0, 1, 2, 3, 4, 5]), { delayMs: 10_000, lastStateOnly: true });
  },
);

void t.test('crashes that lie apart do not count together', async (t) => {
  t.same(restartAfter([0, 1, 2, 3, 60_003]), { delayMs: 0, lastStateOnly: false });
  const everyMinute = Array.from({ length: 100 }, (_, index) => index * 60_000);
  t.same(restartAfter(everyMinute), { delayMs: 0, lastStateOnly: false });
});

void t.test('a policy of its own', async (t) => {
  const patient = { ...defaultRestartPolicy, mostCrashes: 3, delaysMs: [7] as const };
  t.same(restartAfter([0, 1], patient), { delayMs: 7, lastStateOnly: false });
  t.same(restartAfter([0, 1, 2], patient), { delayMs: 0, lastStateOnly: true });
});
