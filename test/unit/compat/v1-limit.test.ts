import t from 'tap';
import { limitBytes, parseLimit, unlimitedBytes, v2LimitText } from '../../../src/compat/v1-limit.js';

const none = 9223372036854771712n;

void t.test('no limit is what v1 shows for it, both ways', async (t) => {
  t.equal(unlimitedBytes(4096), none);
  t.equal(limitBytes('max\n', 4096), none);
  t.equal(v2LimitText(none, 4096), 'max');
  t.equal(v2LimitText(8192n, 4096), '8192');
});

void t.test('what is written to a limit is read as the kernel does', async (t) => {
  const cases: [string, bigint][] = [
    ['-1\n', none],
    ['0', 0n],
    ['4097\n', 4096n],
    [' 64M \n', 64n << 20n],
    ['1k', 0n],
    ['2G', 2n << 30n],
    ['0x10000', 65536n],
    ['010000', 4096n],
    ['9223372036854775807', none],
    ['16E', none],
  ];
  for (const [text, bytes] of cases) t.equal(parseLimit(text, 4096), bytes, text);
  for (const text of ['', 'max', '-2', '1.5G', '5 M', 'M', '1MB', '0x'])
    t.throws(() => parseLimit(text, 4096), { code: 'BAD_VALUE', errno: 'EINVAL' }, text);
});
