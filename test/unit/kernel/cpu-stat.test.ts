import fc from 'fast-check';
import t from 'tap';
import { parseCpuUsage } from '../../../src/kernel/cpu-stat.js';

void t.test('reads the CPU time that a memcg used', async (t) => {
  t.equal(parseCpuUsage('usage_usec 39240184\nuser_usec 20123456\nsystem_usec 19116728\n'), 39_240_184);
  t.equal(parseCpuUsage('nr_periods 0\nusage_usec 0\n'), 0);
});

void t.test('what does not say, or is cut off, is undefined; nothing throws', async (t) => {
  for (const text of ['', 'user_usec 1\n', 'usage_usec \n', 'usage_usec 12', 'xusage_usec 1\n'])
    t.equal(parseCpuUsage(text), undefined, JSON.stringify(text));
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const usage = parseCpuUsage(text);
      return usage === undefined || usage >= 0;
    }),
  );
  t.pass();
});
