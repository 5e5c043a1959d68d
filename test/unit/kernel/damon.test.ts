import t from 'tap';
import { damonUnlimited, kdamondWrites, type DamonPlan } from '../../../src/kernel/damon.js';
import { captured } from './fixtures.js';

const plan: DamonPlan = {
  sampleUs: 100_000,
  aggregationUs: 2_000_000,
  applyUs: 10_000_000,
  regions: [100, 4000],
  schemes: [
    { accesses: [0, damonUnlimited], ageIntervals: [0, damonUnlimited], filters: [] },
    {
      accesses: [0, 0],
      ageIntervals: [5, 9],
      filters: [
        { type: 'memcg', path: '/a b', leavesOut: 'others' },
        { type: 'anon', leavesOut: 'anon' },
      ],
    },
  ],
};
const ram = [
  { start: 0x1000, end: 0x9f000 },
  { start: 0x100000, end: 0x7ff00000 },
];

void t.test('writes to no file that a real kernel does not have', async (t) => {
  const files = new Set(captured('kernel-7.2', 'damon-files').split('\n'));
  for (const { file } of kdamondWrites(plan, ram)) {
    const first = file.replace(/(regions|schemes|filters)\/\d+/g, '$1/0');
    t.ok(files.has(first), file);
  }
});

void t.test('makes a folder before it writes into it', async (t) => {
  const made = new Map<string, number>();
  for (const { file, value } of kdamondWrites(plan, ram)) {
    for (const folder of ['regions', 'schemes', 'filters']) {
      const [, list = '', index] = new RegExp(`^(.*/${folder})/(\\d+)/`).exec(file) ?? [];
      if (index !== undefined) t.ok(Number(index) < (made.get(list) ?? 0), `${file} when there are ${made.get(list)}`);
    }
    const [, list] = /^(.*)\/nr_[a-z]+$/.exec(file) ?? [];
    if (list !== undefined) made.set(list, Number(value));
  }
  t.equal(made.get('contexts/0/schemes'), 2);
});

void t.test('counts the pages of one memcg that are not anonymous, and only counts', async (t) => {
  const values = new Map(kdamondWrites(plan, ram).map(({ file, value }) => [file, value]));
  const scheme = 'contexts/0/schemes/1';
  t.equal(values.get(`${scheme}/action`), 'stat');
  t.equal(values.get(`${scheme}/access_pattern/nr_accesses/max`), '0');
  t.equal(values.get(`${scheme}/access_pattern/age/min`), '5');
  t.equal(values.get(`${scheme}/access_pattern/age/max`), '9');
  t.equal(values.get(`${scheme}/filters/0/memcg_path`), '/a b');
  t.equal(values.get(`${scheme}/filters/0/matching`), 'N', 'what is not of the memcg');
  t.equal(values.get(`${scheme}/filters/0/allow`), 'N', 'is left out');
  t.equal(values.get(`${scheme}/filters/1/matching`), 'Y', 'what is anonymous');
  t.equal(values.get(`${scheme}/filters/1/allow`), 'N', 'is left out');
});

void t.test('watches all of RAM', async (t) => {
  const values = new Map(kdamondWrites(plan, ram).map(({ file, value }) => [file, value]));
  t.equal(values.get('contexts/0/operations'), 'paddr');
  t.equal(values.get('contexts/0/targets/0/regions/nr_regions'), '2');
  t.equal(values.get('contexts/0/targets/0/regions/1/start'), String(0x100000));
  t.equal(values.get('contexts/0/targets/0/regions/1/end'), String(0x7ff00000));
});
