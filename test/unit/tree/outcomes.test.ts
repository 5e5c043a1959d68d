import { statSync } from 'node:fs';
import t from 'tap';
import { ColdpgsError } from '../../../src/errors.js';
import { errnoOf } from '../../../src/tree/errno.js';
import { type FailedWrite, Outcomes } from '../../../src/tree/outcomes.js';
import { silentLog } from '../../../src/log.js';

const refusal = new ColdpgsError('BAD_VALUE', 'EINVAL', 'The value must be a number.');

function thrownBy(work: () => void): unknown {
  try {
    work();
  } catch (thrown) {
    return thrown;
  }
  throw new Error('nothing was thrown');
}

void t.test('every thrown value has a Linux errno', async (t) => {
  t.same(errnoOf(refusal), { name: 'EINVAL', number: 22 });
  t.same(errnoOf(new ColdpgsError('CANCELLED', 'EINTR', '')), { name: 'EINTR', number: 4 });
  t.same(errnoOf(new ColdpgsError('KERNEL_REFUSED', 'EOPNOTSUPP', '')), { name: 'EOPNOTSUPP', number: 95 });
  t.same(errnoOf(thrownBy(() => statSync('/there/is/no/such/file'))), { name: 'ENOENT', number: 2 });
  for (const defect of [
    new TypeError('x'),
    Object.assign(new Error(), { code: 'ERR_INVALID_ARG_TYPE' }),
    'text',
    undefined,
  ])
    t.same(errnoOf(defect), { name: 'EIO', number: 5 });
});

void t.test('outcomes are counted by operation and errno', async (t) => {
  const outcomes = new Outcomes(silentLog);
  outcomes.succeeded('read');
  outcomes.succeeded('read');
  t.equal(outcomes.failed('write', '/file', refusal), 22);
  t.same(outcomes.counts(), { 'read OK': 2, 'write EINVAL': 1 });
});

void t.test('the log tells refusals from defects', async (t) => {
  const lines: string[] = [];
  const line = (level: string) => (_details: object, sentence: string) => void lines.push(`${level}: ${sentence}`);
  const log = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  const outcomes = new Outcomes(log);
  outcomes.failed('open', '/file', refusal);
  outcomes.failed('write', '/file', refusal);
  outcomes.failed('read', '/file', new TypeError('x is undefined'));
  t.same(lines, [
    'debug: The value must be a number.',
    'info: write refused: The value must be a number.',
    'error: read failed unexpectedly: x is undefined',
  ]);
});

void t.test('a failed write is told to who listens, and a listener that throws does not matter', async (t) => {
  const told: FailedWrite[] = [];
  const outcomes = new Outcomes(silentLog, (failure) => {
    told.push(failure);
    throw new Error('a bad listener');
  });
  outcomes.failed('open', '/file', refusal);
  t.equal(outcomes.failed('write', '/file', refusal), 22);
  t.same(told, [{ path: '/file', errno: 'EINVAL', sentence: 'The value must be a number.' }]);
});
