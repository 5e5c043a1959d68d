import t from 'tap';
import { LockedMappingParser } from '../../../src/kernel/locked-mappings.js';

interface Mapping {
  readonly range: string;
  readonly name?: string;
  readonly flags?: string;
  readonly anonymousKib?: number;
}

function smaps(mappings: readonly Mapping[]): string {
  return mappings
    .map(({ range, name = '', flags = 'rd wr mr lo', anonymousKib = 0 }) => {
      const file = name.startsWith('/') ? 'fe:00 12' : '00:00 0';
      return `${range} rw-p 00000000 ${file}    ${name}\nSize: 64 kB\nAnonymous:      ${anonymousKib} kB\nLocked: 64 kB\nVmFlags: ${flags} \n`;
    })
    .join('');
}

function found(mappings: readonly Mapping[], pieceLength = 7): string[] {
  const parser = new LockedMappingParser();
  const text = smaps(mappings);
  for (let at = 0; at < text.length; at += pieceLength) parser.push(text.slice(at, at + pieceLength));
  return parser.end().map(({ start, end, kind }) => `${start.toString(16)}-${end.toString(16)} ${kind}`);
}

void t.test('locked memory by kind; neighbours are one range', async (t) => {
  t.same(
    found([
      { range: '10000-20000', anonymousKib: 64 },
      { range: '20000-40000', anonymousKib: 64 },
      { range: '40000-60000', name: '/data' },
      { range: '60000-80000', name: '/data', anonymousKib: 4 },
      { range: '90000-b0000', name: '/memfd:x (deleted)' },
      { range: 'b0000-d0000', name: '/data', flags: 'rd wr mr' },
    ]),
    ['10000-40000 anon', '40000-60000 file', '60000-80000 anon', '90000-b0000 anon'],
  );
});

void t.test('code, the main stack, devices, huge pages and what is not worth a stop are left alone', async (t) => {
  t.same(
    found([
      { range: '10000-30000', name: '/program', flags: 'rd ex mr lo' },
      { range: '30000-50000', name: '[stack]' },
      { range: '50000-70000', name: '/dev/mem', flags: 'rd wr io pf lo' },
      { range: '70000-90000', flags: 'rd wr ht lo' },
      { range: 'a0000-af000' },
    ]),
    [],
  );
});
