import fc from 'fast-check';
import t from 'tap';
import { LineScanner } from '../../../src/kernel/line-scanner.js';

/** A scanner on the one line of a text. */
function onLine(line: string): LineScanner {
  const scanner = new LineScanner(`${line}\n 77 next line\n`);
  scanner.nextLine();
  return scanner;
}

void t.test('goes from line to line, and keeps what is not finished', async (t) => {
  const lines = new LineScanner('1\n\n22\n3');
  const counts: number[] = [];
  while (lines.nextLine()) counts.push(lines.count());
  t.same(counts, [1, -1, 22]);
  t.equal(lines.unfinished(), '3');
});

void t.test('reads any number of 1 to 20 digits as JavaScript does, and no other', async () => {
  fc.assert(
    fc.property(fc.stringMatching(/^\d{0,22}$/), (digits) => {
      const expected = /^\d{1,20}$/.test(digits) ? Number(digits) : -1;
      return onLine(digits).count() === expected && onLine(`${digits} x`).count() === expected;
    }),
  );
});

void t.test('a size is 0 where it is negative, and may be marked', async (t) => {
  const sizeAndRest = (line: string): unknown => {
    const scanner = onLine(line);
    return [scanner.size(), scanner.rest(undefined)];
  };
  t.same(sizeAndRest('12 x'), [12, ' x']);
  t.same(sizeAndRest('12ex'), [12, 'x']);
  t.same(sizeAndRest('-12'), [0, '']);
  t.same(sizeAndRest('-x'), [-1, '']);
});

void t.test('no field goes past the end of its line', async (t) => {
  const scanner = onLine('a  ');
  t.ok(scanner.skipWord('a'));
  t.equal(scanner.skipBlanks(), 2);
  t.ok(scanner.isAtEnd);
  t.equal(scanner.count(), -1);
  t.notOk(scanner.skipWord(' '));
  t.equal(scanner.rest(undefined), '');
});

void t.test('the rest of a line is what was expected, or what it says', async (t) => {
  t.equal(onLine('memcg').rest('memcg'), 'memcg');
  for (const other of ['memc', 'memcgs', 'mem g', undefined]) t.equal(onLine('memcg').rest(other), 'memcg');
});
