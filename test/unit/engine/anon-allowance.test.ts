import t from 'tap';
import { safeAnonPages } from '../../../src/engine/anon-allowance.js';

const list = {
  listedPages: 30_000,
  cleanPages: 0,
  filePages: 10_000,
  alongLeftPages: 64,
  writesAtOnce: false,
};

void t.test('what may be asked for', async (t) => {
  const cases: [string, Partial<typeof list>, number][] = [
    ['nothing is clean: what may go along', {}, 64],
    ['what is clean leaves without a write', { cleanPages: 5000 }, 5064],
    ['more than is listed can never be had', { cleanPages: 50_000 }, 30_000],
    ['what may go along is used up: what is clean', { cleanPages: 5000, alongLeftPages: 20 }, 5000],
    ['used up, and more: not a negative number', { alongLeftPages: -64 }, 0],
    ['hardly any page cache is there to go along: all', { filePages: 64 }, 30_000],
    ['swap is written at once: half, so that the list never runs empty', { writesAtOnce: true }, 15_000],
    ['less than a batch is not worth the risk', { listedPages: 63, cleanPages: 63, filePages: 0 }, 0],
  ];
  for (const [what, change, pages] of cases) t.equal(safeAnonPages({ ...list, ...change }), pages, what);
});
