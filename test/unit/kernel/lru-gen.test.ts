import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { agingCommand, evictionCommand, LruGenParser, parseLruGen } from '../../../src/kernel/lru-gen.js';
import { anyBytes, damaged, hasOnlyCounts, pieces } from './arbitrary-text.js';
import { captured, CAPTURED_KERNELS } from './fixtures.js';

void t.test('lists memcgs in the order of the kernel, blanks in their names kept', async (t) => {
  t.strictSame(
    parseLruGen(captured('kernel-6.12', 'lru_gen')).map(({ id, path }) => [id, path]),
    [
      ['1', '/'],
      ['2', '/fixture'],
      ['3', '/fixture/swapped out'],
      ['0', '/fixture/removed'],
    ],
  );
});

void t.test('takes 64-bit ids as they are', async (t) => {
  const [memcg] = parseLruGen('memcg 18446744073709551615 /a\n node     0\n');
  t.equal(memcg?.id, '18446744073709551615');
  t.strictSame(
    parseLruGen(captured('kernel-7.2', 'lru_gen')).map(({ id, path }) => [id, path]),
    [
      ['1', '/'],
      ['28', '/fixture'],
      ['160', '/fixture/swapped out'],
    ],
  );
});

void t.test('gives the generations oldest first', async (t) => {
  const memcg = parseLruGen(captured('kernel-6.1', 'lru_gen')).find(({ path }) => path === '/fixture/swapped out');
  t.strictSame(memcg?.nodes, [
    {
      node: 0,
      generations: [
        { seq: 3n, ageMs: 9904, anonPages: 9346, filePages: 9323 },
        { seq: 4n, ageMs: 6596, anonPages: 0, filePages: 0 },
        { seq: 5n, ageMs: 4392, anonPages: 0, filePages: 0 },
        { seq: 6n, ageMs: 2256, anonPages: 0, filePages: 0 },
      ],
    },
  ]);
});

void t.test('keeps the nodes of a memcg apart', async (t) => {
  for (const { nodes } of parseLruGen(captured('kernel-6.12', 'lru_gen-2-nodes'))) {
    t.strictSame(
      nodes.map(({ node, generations }) => [node, generations.length]),
      [
        [0, 4],
        [1, 4],
      ],
    );
  }
});

for (const kernel of CAPTURED_KERNELS) {
  void t.test(`finds the generations among the statistics of lru_gen_full on ${kernel}`, async (t) => {
    const full = parseLruGen(captured(kernel, 'lru_gen_full'));
    const plain = parseLruGen(captured(kernel, 'lru_gen'));
    const seqs = (memcgs: typeof plain): unknown =>
      memcgs.map(({ path, nodes }) => [path, nodes.map(({ generations }) => generations.map(({ seq }) => seq))]);
    t.strictSame(seqs(full), seqs(plain));
  });
}

void t.test('a row that is indented further than a generation is statistics, marked or not', async (t) => {
  const generation = '          3       1000         10          20 \n';
  const statistics = '                                0           0           0           0 \n';
  const [memcg] = parseLruGen(`memcg     1 /\n node     0\n${generation}${statistics}`);
  t.strictSame(
    memcg?.nodes[0]?.generations.map(({ seq }) => seq),
    [3n],
  );
});

void t.test('takes sizes that are marked as of a generation no longer in use', async (t) => {
  const [memcg] = parseLruGen('memcg     1 /\n node     0\n          3       1000         10x         20 \n');
  t.strictSame(memcg?.nodes[0]?.generations, [{ seq: 3n, ageMs: 1000, anonPages: 10, filePages: 20 }]);
});

void t.test('calls the whole machine "/" when memcg is disabled and the path is empty', async (t) => {
  t.equal(parseLruGen('memcg     0 \n node     0\n')[0]?.path, '/');
});

void t.test('counts a negative size as 0', async (t) => {
  const [memcg] = parseLruGen('memcg     1 /\n node     0\n          3       1000         -5          -1 \n');
  t.strictSame(memcg?.nodes[0]?.generations, [{ seq: 3n, ageMs: 1000, anonPages: 0, filePages: 0 }]);
});

void t.test('drops a line that is cut off, so that no size is a beginning of one', async (t) => {
  const [memcg] = parseLruGen(
    'memcg     1 /\n node     0\n          3       1000         10          20 \n          4       500         12          34',
  );
  t.equal(memcg?.nodes[0]?.generations.length, 1);
});

void t.test('gives each memcg as soon as the next one begins', async (t) => {
  const parser = new LruGenParser();
  t.strictSame(parser.push('memcg     1 /\n node     0\n'), []);
  t.match(parser.push('memcg     2 /a\n'), [{ id: '1' }]);
  t.match(parser.end(), [{ id: '2' }]);
});

void t.test('gives the same whatever paths an earlier listing had', async (t) => {
  const text = captured('kernel-6.12', 'lru_gen');
  const whole = parseLruGen(text);
  for (const paths of [[], ['/'], ['/', '/other', '/fixture/swapped'], whole.map(({ path }) => path)]) {
    const parser = new LruGenParser(paths);
    t.strictSame([...parser.push(text), ...parser.end()], whole);
  }
});

void t.test('gives the same whatever pieces the text comes in', async () => {
  const text = captured('kernel-6.12', 'lru_gen-2-nodes');
  const whole = parseLruGen(text);
  fc.assert(
    fc.property(pieces(text), (cut) => {
      const parser = new LruGenParser();
      const memcgs = cut.flatMap((piece) => parser.push(piece));
      return isDeepStrictEqual([...memcgs, ...parser.end()], whole);
    }),
  );
});

void t.test('never throws, and gives counts only, whatever the text', async () => {
  const damagedText = fc.constantFrom(...CAPTURED_KERNELS).chain((kernel) => damaged(captured(kernel, 'lru_gen')));
  fc.assert(fc.property(fc.oneof(anyBytes, damagedText), (text) => hasOnlyCounts(parseLruGen(text))));
});

void t.test('aging asks for a full walk, anon included', async (t) => {
  t.equal(agingCommand({ id: '42207', node: 1, maxSeq: 7n }), '+ 42207 1 7 1 1');
});

void t.test('eviction names the type by a swappiness that the kernel knows', async (t) => {
  const command = { id: '3', node: 0, minSeq: 4n, pages: 4096 };
  t.equal(evictionCommand({ ...command, swappiness: 'file' }, true), '- 3 0 4 0 4096');
  t.equal(evictionCommand({ ...command, swappiness: 'anon' }, true), '- 3 0 4 max 4096');
  t.equal(evictionCommand({ ...command, swappiness: 'anon' }, false), '- 3 0 4 200 4096');
});
