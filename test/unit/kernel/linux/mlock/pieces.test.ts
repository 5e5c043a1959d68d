import t from 'tap';
import { common, PIECE_BYTES, pieces } from '../../../../../src/kernel/linux/mlock/pieces.js';

void t.test('a range is cut where no huge page is split, into pieces of at most 8 MiB', async (t) => {
  const start = 3 * PIECE_BYTES + 4096;
  const cut = pieces({ start, end: start + 2 * PIECE_BYTES });
  t.same(cut, [
    { start, end: 4 * PIECE_BYTES },
    { start: 4 * PIECE_BYTES, end: 5 * PIECE_BYTES },
    { start: 5 * PIECE_BYTES, end: start + 2 * PIECE_BYTES },
  ]);
  t.same(pieces({ start, end: start }), []);
});

void t.test('of ranges that were unlocked only what is still mapped is locked again', async (t) => {
  const mapped = [
    { start: 0, end: 10 },
    { start: 10, end: 20 },
    { start: 30, end: 40 },
  ];
  t.same(common([{ start: 5, end: 35 }], mapped), [
    { start: 5, end: 20 },
    { start: 30, end: 35 },
  ]);
});
