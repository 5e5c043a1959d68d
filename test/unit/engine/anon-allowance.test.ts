import t from 'tap';
import { alongAllowance, safeAnonPages } from '../../../src/engine/anon-allowance.js';

const list = {
  listedPages: 30_000,
  cleanPages: 0,
  filePages: 10_000,
  alongLeftPages: 150,
  writesAtOnce: false,
};

void t.test('half a percent may go along, and a batch of the kernel at least', async (t) => {
  t.equal(alongAllowance(30_000), 150);
  t.equal(alongAllowance(100), 64);
});

void t.test('what may be asked for', async (t) => {
  const cases: [string, Partial<typeof list>, number][] = [
    ['nothing is clean: what may go along', {}, 150],
    ['what is clean leaves without a write', { cleanPages: 5000 }, 5150],
    ['more than is listed can never be had', { cleanPages: 50_000 }, 30_000],
    ['what may go along is used up: what is clean', { cleanPages: 5000, alongLeftPages: 20 }, 5000],
    ['used up, and more: not a negative number', { alongLeftPages: -80 }, 0],
    ['hardly any page cache is there to go along: all', { filePages: 150 }, 30_000],
    ['swap is written at once: half, so that the list never runs empty', { writesAtOnce: true }, 15_000],
    ['less than a batch is not worth the risk', { listedPages: 63, cleanPages: 63, filePages: 0 }, 0],
  ];
  for (const [what, change, pages] of cases) t.equal(safeAnonPages({ ...list, ...change }), pages, what);
});
