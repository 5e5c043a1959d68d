import t from 'tap';
import { fromUtf8, toUtf8 } from '../../../src/fuse/names.js';

void t.test('names go to and fro between a character a byte and UTF-8', async (t) => {
  for (const text of ['memory.high', 'größe', '日本', '\u{1f9ca}']) {
    const name = fromUtf8(text);
    t.equal(name.length, Buffer.byteLength(text));
    t.equal(toUtf8(name), text);
  }
});

void t.test('bytes that are no UTF-8 have no text', async (t) => {
  for (const name of ['\xff', 'a\xc3', '\xed\xa0\x80']) t.equal(toUtf8(name), undefined);
});
