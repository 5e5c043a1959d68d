import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readPieces, readQuickPieces, readText } from '../../../../src/kernel/linux/kernel-file.js';

void t.test('a text is read to its end, whatever its length is to the buffers', async (t) => {
  const file = join(t.testdir(), 'file');
  for (const bytes of [0, 1, 8191, 8192, 8193, 16384, 73_728, 200_000]) {
    const text = 'a line of the kernel\n'.repeat(bytes / 21 + 1).slice(0, bytes);
    writeFileSync(file, text);
    t.equal(await readText(file), text, `${bytes} bytes`);
  }
});

void t.test('also one that comes in pieces that are shorter than asked for', async (t) => {
  const fifo = join(t.testdir(), 'pieces');
  execFileSync('mkfifo', [fifo]);
  const writer = spawn('sh', ['-c', 'exec >"$0"; printf one; sleep 0.2; printf two; sleep 0.2; printf three', fifo]);
  const text = await readText(fifo).finally(() => writer.kill());
  t.equal(text, 'onetwothree');
});

for (const read of [readPieces, readQuickPieces])
  void t.test(`${read.name}: the whole of a long file, and other work goes on meanwhile`, async (t) => {
    const file = join(t.testdir(), 'file');
    const text = 'a line of the kernel\n'.repeat(50_000);
    writeFileSync(file, text);
    let turns = 0;
    const otherWork = setInterval(() => turns++, 0);
    let pieces = '';
    for await (const piece of read(file)) {
      pieces += piece;
      for (const endMs = performance.now() + 1; performance.now() < endMs;);
    }
    clearInterval(otherWork);
    t.equal(pieces, text);
    t.ok(turns > 1, `${turns} turns`);
    await t.rejects(read(`${file}-missing`).next(), { code: 'ENOENT' });
  });
