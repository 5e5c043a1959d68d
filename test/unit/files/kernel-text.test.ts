import fc from 'fast-check';
import t from 'tap';
import { parseUnsigned, refuse, strip, unsignedIntMax, unsignedLongMax } from '../../../src/files/kernel-text.js';

type Base = 0 | 10 | 16;

/** What is written, and the number the kernel makes of it by base; `no` where it answers EINVAL. */
const table: [
  written: string,
  decimal: number | 'no',
  hexadecimal: number | 'no',
  anyBase: number | 'no',
  why: string,
][] = [
  ['0', 0, 0, 0, 'zero'],
  ['7', 7, 7, 7, 'a digit'],
  ['42', 42, 0x42, 42, 'digits'],
  ['007', 7, 7, 7, 'leading zeros are octal where the base is open'],
  ['010', 10, 0x10, 8, 'octal'],
  ['08', 8, 8, 'no', 'no octal digit'],
  ['00', 0, 0, 0, 'octal zero'],
  ['7\n', 7, 7, 7, 'one newline, as echo writes it'],
  ['7\n\n', 'no', 'no', 'no', 'two newlines'],
  ['\n', 'no', 'no', 'no', 'a newline alone'],
  ['', 'no', 'no', 'no', 'nothing'],
  ['+7', 7, 7, 7, 'a plus'],
  ['+7\n', 7, 7, 7, 'a plus and a newline'],
  ['++7', 'no', 'no', 'no', 'two pluses'],
  ['+', 'no', 'no', 'no', 'a plus alone'],
  ['-1', 'no', 'no', 'no', 'a minus'],
  ['-0', 'no', 'no', 'no', 'minus zero'],
  [' 7', 'no', 'no', 'no', 'a blank before'],
  ['7 ', 'no', 'no', 'no', 'a blank behind'],
  ['7 \n', 'no', 'no', 'no', 'a blank before the newline'],
  ['7\r\n', 'no', 'no', 'no', 'a line of another system'],
  ['\t7', 'no', 'no', 'no', 'a tab'],
  ['1 2', 'no', 'no', 'no', 'two numbers'],
  ['0x10', 'no', 0x10, 0x10, 'the prefix of base 16'],
  ['0X1f\n', 'no', 0x1f, 0x1f, 'in capitals'],
  ['+0x10', 'no', 0x10, 0x10, 'plus and prefix'],
  ['0x', 'no', 'no', 'no', 'a prefix alone'],
  ['0x\n', 'no', 'no', 'no', 'a prefix and a newline'],
  ['0xg', 'no', 'no', 'no', 'a prefix and no digit'],
  ['0x0x1', 'no', 'no', 'no', 'two prefixes'],
  ['0x+1', 'no', 'no', 'no', 'a plus in the wrong place'],
  ['x1', 'no', 'no', 'no', 'half a prefix'],
  ['ff', 'no', 0xff, 'no', 'digits of base 16 without prefix'],
  ['FF', 'no', 0xff, 'no', 'in capitals'],
  ['0b1', 'no', 0x0b1, 'no', 'no base 2'],
  ['1e3', 'no', 0x1e3, 'no', 'no exponents'],
  ['1.0', 'no', 'no', 'no', 'no fractions'],
  ['1_000', 'no', 'no', 'no', 'no separators'],
  ['1k', 'no', 'no', 'no', 'no suffix'],
  ['5\0', 5, 5, 5, 'a NUL ends the text'],
  ['5\0junk', 5, 5, 5, 'whatever comes behind it'],
  ['5\n\0\n', 5, 5, 5, 'a newline too'],
  ['\x005', 'no', 'no', 'no', 'a NUL first'],
  ['\xb2', 'no', 'no', 'no', 'a superscript two'],
  ['\xa07', 'no', 'no', 'no', 'a no-break space'],
];

void t.test('numbers are read as kstrtoul reads them', async (t) => {
  for (const [written, decimal, hexadecimal, anyBase, why] of table)
    for (const [base, expected] of [
      [10, decimal],
      [16, hexadecimal],
      [0, anyBase],
    ] as const) {
      const parsed = parseUnsigned(written, base, unsignedLongMax);
      t.equal(
        parsed,
        expected === 'no' ? undefined : BigInt(expected),
        `${JSON.stringify(written)} base ${base}: ${why}`,
      );
    }
});

void t.test('a number is exact up to the largest of its type, and refused above', async (t) => {
  t.equal(parseUnsigned('18446744073709551615', 10, unsignedLongMax), 2n ** 64n - 1n);
  t.equal(parseUnsigned('18446744073709551616', 10, unsignedLongMax), undefined);
  t.equal(parseUnsigned('ffffffffffffffff', 16, unsignedLongMax), 2n ** 64n - 1n);
  t.equal(parseUnsigned('10000000000000000', 16, unsignedLongMax), undefined);
  t.equal(parseUnsigned('4294967295', 10, unsignedIntMax), 2n ** 32n - 1n);
  t.equal(parseUnsigned('4294967296', 10, unsignedIntMax), undefined);
  t.equal(parseUnsigned('9'.repeat(4096), 10, unsignedLongMax), undefined);
  t.equal(parseUnsigned(`${'0'.repeat(4000)}7`, 10, unsignedLongMax), 7n);
});

void t.test('white space is stripped as strstrip strips it', async (t) => {
  t.equal(strip(' \t\n\v\f\r\xa07 7\xa0\r\f\v\n\t '), '7 7', '0xa0 is a blank for the kernel');
  t.equal(strip('\n\n'), '');
  t.equal(strip(' 7 \0 8'), '7', 'a NUL ends the text');
  t.equal(strip('\x857\x85'), '\x857\x85', '0x85 is none');
});

void t.test('what is refused says what was given, what is allowed, and that nothing was changed', async (t) => {
  const refusal = refuse('batch', '0x1\n', 'a decimal number');
  t.match(refusal, { code: 'BAD_VALUE', errno: 'EINVAL' });
  t.equal(refusal.message, String.raw`batch takes a decimal number; "0x1\n" was written. Nothing was changed.`);
  t.ok(refuse('batch', 'x'.repeat(4096), 'a decimal number').message.length < 200, 'at most a bit of it');
});

const base: fc.Arbitrary<Base> = fc.constantFrom(0, 10, 16);
const anyText = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const nearlyNumber = fc
  .array(fc.constantFrom('0', '1', '7', '8', 'f', 'x', 'X', '+', '-', ' ', '\n', '\0', '\xa0'), { maxLength: 12 })
  .map((characters) => characters.join(''));

void t.test('a number written in its base is read back, with plus, prefix and newline or without', async (t) => {
  const spelling = fc.record({ plus: fc.constantFrom('', '+'), newline: fc.constantFrom('', '\n') });
  fc.assert(
    fc.property(fc.bigInt(0n, unsignedLongMax), spelling, (number, { plus, newline }) => {
      const spelled: [string, Base][] = [
        [number.toString(), 10],
        [number.toString(16), 16],
        [`0x${number.toString(16)}`, 16],
        [number.toString(), 0],
        [`0x${number.toString(16)}`, 0],
        [`0${number.toString(8)}`, 0],
      ];
      return spelled.every(
        ([digits, base]) => parseUnsigned(`${plus}${digits}${newline}`, base, unsignedLongMax) === number,
      );
    }),
  );
  t.pass();
});

/** The kernel's own steps, character by character (lib/kstrtox.c). */
function kstrtoull(text: string, wanted: Base): bigint | undefined {
  const end = `${text}\0`.indexOf('\0');
  const at = (index: number): string => (index < end ? (text[index] ?? '') : '');
  const isDigit = (character: string, base: number): boolean =>
    character !== '' && '0123456789abcdef'.slice(0, base).includes(character.toLowerCase());
  let place = at(0) === '+' ? 1 : 0;
  const prefixed = at(place) === '0' && at(place + 1).toLowerCase() === 'x';
  const base = wanted || (at(place) !== '0' ? 10 : prefixed && isDigit(at(place + 2), 16) ? 16 : 8);
  if (base === 16 && prefixed) place += 2;
  let value = 0n;
  const first = place;
  for (; isDigit(at(place), base); place++) value = value * BigInt(base) + BigInt(parseInt(at(place), 16));
  if (place === first) return undefined;
  if (at(place) === '\n') place++;
  return place === end && value <= unsignedLongMax ? value : undefined;
}

void t.test('any bytes are read as the kernel would read them', async (t) => {
  fc.assert(
    fc.property(fc.oneof(anyText, nearlyNumber), base, (text, base) => {
      return parseUnsigned(text, base, unsignedLongMax) === kstrtoull(text, base);
    }),
    { numRuns: 5000 },
  );
  t.pass();
});
