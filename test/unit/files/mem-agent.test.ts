import fc from 'fast-check';
import t from 'tap';
import { compactRows, memcgRows, neverTimes } from '../../../src/engine/autopilot-settings.js';
import { ColdpgsError } from '../../../src/errors.js';
import { cgroupText, parseCgroup } from '../../../src/files/mem-agent-cgroups.js';
import { served } from './served.js';

const folder = '/sys/kernel/mm/mem_agent';

/** The defaults of the documents, but for `disabled`: a mounted tree alone does nothing. */
const defaults = {
  memcg: {
    disabled: 'true',
    swap: 'false',
    swappiness_max: '50',
    period_secs: '600',
    period_psi_percent_limit: '1',
    eviction_psi_percent_limit: '1',
    eviction_run_aging_count_min: '3',
  },
  compact: {
    disabled: 'true',
    period_secs: '600',
    period_psi_percent_limit: '1',
    compact_psi_percent_limit: '5',
    compact_sec_max: '300',
    compact_order: '9',
    compact_threshold: '1024',
    compact_force_times: neverTimes.u64,
  },
};

void t.test('a file for each of the 15 keys, with the defaults of the documents', async (t) => {
  const it = await served();
  for (const [half, keys] of Object.entries(defaults)) {
    t.same(
      it
        .directory(`${folder}/${half}`)
        .names()
        .filter((name) => name in keys),
      Object.keys(keys),
    );
    for (const [key, value] of Object.entries(keys)) t.equal(it.read(`${folder}/${half}/${key}`), `${value}\n`, key);
  }
});

void t.test('white space around a value means nothing', async (t) => {
  const it = await served();
  await it.write(`${folder}/memcg/swappiness_max`, ' 7 \n');
  t.equal(it.read(`${folder}/memcg/swappiness_max`), '7\n');
});

void t.test('any text at all is taken in range or refused, and never throws anything else', async (t) => {
  const it = await served();
  const files = [...memcgRows.map(({ key }) => `memcg/${key}`), ...compactRows.map(({ key }) => `compact/${key}`)];
  const texts = fc.oneof(
    fc.string(),
    fc.integer().map(String),
    fc.double().map(String),
    fc.bigInt().map(String),
    fc.boolean().map(String),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...files), texts, async (file, text) => {
      const path = `${folder}/${file}`;
      const before = it.read(path);
      try {
        await it.write(path, text);
      } catch (failure) {
        t.ok(failure instanceof ColdpgsError && failure.errno === 'EINVAL');
        t.equal(it.read(path), before);
        return;
      }
      const said = it.read(path);
      await it.write(path, said);
      t.equal(it.read(path), said, 'what it says it takes');
    }),
    { numRuns: 300 },
  );
});

void t.test('settings: all keys as JSON; a change is taken whole or not at all', async (t) => {
  const it = await served();
  const path = `${folder}/memcg/settings`;
  await it.write(path, '{"period_secs":300,"swap":true}\n');
  t.match(JSON.parse(it.read(path)), { period_secs: 300, swap: true, disabled: true });
  for (const [text, sentence] of [
    ['{"period_secs":60,"swappiness_max":300}', /swappiness_max takes a whole number from 0 to 200, not 300/],
    ['{"period_secs":60,"periods":1}', /no setting periods: it has disabled, swap/],
    ['{"period_secs":"60"}', /period_secs takes/],
    ['{"swap":2}', /swap takes true or false \(or 1 or 0\), not 2/],
    ['[1]', /JSON object/],
    ['period_secs=60', /takes JSON/],
  ] as const)
    await t.rejects(it.write(path, text), { code: 'BAD_VALUE', message: sentence });
  t.match(JSON.parse(it.read(path)), { period_secs: 300, swap: true });
  const compact = `${folder}/compact/settings`;
  await it.write(compact, `{"compact_force_times":${neverTimes.u64}}`);
  t.match(it.read(compact), `"compact_force_times":${neverTimes.u64}`);
});

void t.test('cgroups: add, set and del, all commands of a write or none', async (t) => {
  const it = await served();
  const path = `${folder}/memcg/cgroups`;
  await it.write(path, 'add path=/pod,period-secs=60,no-subdir=true\nadd path=pod/b/,numa-id=0:1,swap=1\n');
  t.equal(it.read(path), 'path=/pod,no-subdir=true,period-secs=60\npath=/pod/b,numa-id=0:1,swap=true\n');
  await it.write(path, 'set path=/pod,disabled=false');
  await it.write(path, 'del path=/pod/b,numa-id=1:0');
  t.equal(it.read(path), 'path=/pod,period-secs=60,disabled=false\n');
  for (const text of [
    'add path=/new\nadd path=/pod',
    'set path=/new,swap=true',
    'del path=/pod,numa-id=1',
    'add period-secs=60',
    'add path=/new,period_secs=0',
    'add path=/new,numa-id=1:1',
    'add path=/new,numa-id=x',
    'add path=/../new',
    'add path=/new,path=/newer',
    'add path=/new,unknown=1',
    'change path=/new',
    '',
  ])
    await t.rejects(it.write(path, text), { code: 'BAD_VALUE', errno: 'EINVAL' }, text);
  await it.write(path, 'add path=/two,numa-id=0:1');
  await t.rejects(it.write(path, 'add path=/two,numa-id=1:2'), { message: /two settings for memcg \/two on node 1/ });
  t.equal(it.read(path), 'path=/pod,period-secs=60,disabled=false\npath=/two,numa-id=0:1\n');
});

void t.test('a path of any bytes survives its text', async () => {
  const name = fc
    .uint8Array({ minLength: 1, maxLength: 8 })
    .map((bytes) => Buffer.from(bytes).toString('latin1'))
    .filter((text) => !text.includes('/') && !text.includes('\0') && text !== '.' && text !== '..');
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 3 }), (names) => {
      const override = {
        path: `/${names.join('/')}`,
        nodes: [1, 0],
        noSubdir: true,
        settings: { swap: true, period_secs: 5 },
      };
      const text = cgroupText(override);
      return !text.includes('\n') && JSON.stringify(parseCgroup(text)) === JSON.stringify(override);
    }),
  );
});

void t.test('status tells per memcg and node what was done, and why not more', async (t) => {
  const it = await served({ nodes: 2 });
  const { machine } = it.world;
  t.match(it.read(`${folder}/memcg/status`), /^state: off\n/);
  machine.file('/web', { mib: 8, node: 1 });
  machine.file('/web/line\nbreak', { mib: 1 });
  await it.write(`${folder}/memcg/settings`, '{"disabled":false,"period_secs":10}');
  await it.world.periods(8);
  const status = it.read(`${folder}/memcg/status`);
  t.match(
    status,
    /^state: on\nmemcgs_and_nodes: \d+\nenabled: \d+\nperiods: done=\d+ nothing_cold=\d+ too_few_agings=\d+\n/,
  );
  const web = /memcg \d+ \/web\n( node 0 .*\n)( node 1 .*\n)/.exec(status);
  t.match(
    web?.[1],
    /^ node 0 disabled false min_seq \d+ max_seq \d+ agings \d+ evicted_anon_pages 0 evicted_file_pages 0/,
  );
  t.match(web?.[2], /evicted_file_pages 2048 .*done=1/);
  t.match(status, '/web/line\\012break\n');
});

void t.test('run: 1 ends the period now; nothing else is taken, and not while disabled', async (t) => {
  const it = await served();
  for (const half of ['memcg', 'compact']) {
    const path = `${folder}/${half}/run`;
    await t.rejects(it.write(path, '1'), { code: 'BAD_VALUE', message: /disabled: write false/ });
    await it.write(`${folder}/${half}/disabled`, 'false');
    await it.write(path, '1\n');
    await t.rejects(it.write(path, '0'), { code: 'BAD_VALUE' });
  }
  t.match(it.read(`${folder}/compact/status`), /last_period_reason: not_fragmented\n/);
});

void t.test('status of compaction', async (t) => {
  const it = await served();
  t.equal(it.read(`${folder}/compact/status`).split('\n')[0], 'state: off');
  it.world.machine.fragmentation.blocks[0] = 4096;
  await it.write(`${folder}/compact/settings`, '{"disabled":false,"compact_order":9}');
  await it.write(`${folder}/compact/run`, '1');
  const status = it.read(`${folder}/compact/status`);
  for (const line of [
    'state: on',
    'last_period_ran: true',
    'last_run_reason: fragmented',
    'last_run_ended: done',
    'last_run_blocks_gained: 8',
  ])
    t.match(status, `${line}\n`);
});
