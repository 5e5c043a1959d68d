import t from 'tap';
import { cameBackAtOnce, cameBackSome, judgeProbe } from '../../../src/engine/probe.js';

void t.test('a probe is judged by the share of its pages that came back', async (t) => {
  const verdicts: [freedPages: number, refaultPages: number, probesLeft: number, verdict: string][] = [
    [1000, 0, 0, 'go on'],
    [1000, 100, 0, 'go on'],
    [1000, 101, 0, 'go slower'],
    [1000, 500, 0, 'go slower'],
    [1000, 501, 0, 'stop'],
    [1000, 4000, 0, 'stop'],
    [1000, 100, 2, 'go on'],
    [1000, 101, 2, 'probe again'],
    [1000, 1000, 1, 'probe again'],
    [0, 0, 0, 'go on'],
    [0, 500, 0, 'go on'],
  ];
  for (const [freedPages, refaultPages, probesLeft, verdict] of verdicts)
    t.equal(
      judgeProbe(freedPages, refaultPages, probesLeft),
      verdict,
      `${refaultPages} of ${freedPages} came back, ${probesLeft} probes left`,
    );
});

void t.test('steps go on without a look back while hardly anything comes back', async (t) => {
  t.notOk(cameBackSome(0, 32), 'a few pages come back in every run');
  t.ok(cameBackSome(0, 33));
  t.notOk(cameBackSome(10_000, 132));
  t.ok(cameBackSome(10_000, 133));
});

void t.test('a run stops where half of what it freed is used again at once', async (t) => {
  t.notOk(cameBackAtOnce(10, 32), 'a few pages are no reason');
  t.notOk(cameBackAtOnce(10_000, 5_032));
  t.ok(cameBackAtOnce(10_000, 5_033));
});
