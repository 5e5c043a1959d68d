/** Command lines of mem-agent's programs that its documents do not write out, against the daemon over a simulated machine. */
import t from 'tap';
import { program } from './compiled.js';
import { command, reasonToSkip, temporaryFolder } from './fixture.js';
import { Bench, daemonAt } from './mem-agent-bench.js';

const skip = reasonToSkip();

void t.test('coldpgs ctl changes a running one as kata-agent-ctl does', { skip, timeout: 100_000 }, async (t) => {
  const bench = new Bench(await temporaryFolder(t));
  await daemonAt(t, bench);
  const memcg = await bench.texts('memcg');
  const compact = await bench.texts('compact');
  t.match(await bench.run(`coldpgs ctl 'MemAgentMemcgSet json://{"period_secs":61,"swap":true}'`), { status: 0 });
  t.match(await bench.run(`coldpgs ctl 'MemAgentCompactSet json://{"compact_order":8}'`), { status: 0 });
  t.same(await bench.texts('memcg'), { ...memcg, period_secs: '61', swap: 'true' });
  t.same(await bench.texts('compact'), { ...compact, compact_order: '8' });
  for (const [request, sentence] of [
    ['MemAgentMemcgSet json://{"swap":false,"swappiness_max":201}', /memcg swappiness_max takes .* 0 to 200, not 201/],
    ['MemAgentCompactSet json://{"compact_order":14}', /compact compact_order takes .* 1 to 13, not 14/],
    ['MemAgentMemcgSet {"swap":false}', /is no request: say MemAgentMemcgSet or MemAgentCompactSet/],
  ] as const)
    t.match(await bench.run(`coldpgs ctl '${request}'`), { status: 2, stdout: '', stderr: sentence });
  t.match((await bench.run(`cat '${bench.mountPoint}/coldpgs/errors'`)).stdout.trimEnd().split('\n'), [
    /mem_agent\/memcg\/settings: memcg swappiness_max takes .*, not 201/,
    /mem_agent\/compact\/settings: compact compact_order takes .*, not 14/,
  ]);
  t.same(await bench.texts('memcg'), { ...memcg, period_secs: '61', swap: 'true' });
});

void t.test('mem-agent-srv with memcgs of their own settings and an address', { skip, timeout: 100_000 }, async (t) => {
  for (const address of ['--addr /run/mem-agent.sock', '--addr=/run/mem-agent.sock']) {
    const bench = new Bench(await temporaryFolder(t));
    const options = `${address} --memcg-cgroups path=/pod,numa-id=0,period-secs=60,no-subdir=true --memcg-cgroups path=/db,disabled=true`;
    await bench.whileServing(`target/debug/mem-agent-srv ${options} --memcg-period-secs 90`, async () => {
      t.equal(
        await bench.read('memcg', 'cgroups'),
        'path=/db,disabled=true\npath=/pod,numa-id=0,no-subdir=true,period-secs=60',
      );
      t.match(await bench.settings('memcg'), { disabled: false, period_secs: 90 });
    });
  }
});

void t.test('where nothing is said, server and client meet at /run/coldpgs', { skip, timeout: 100_000 }, async (t) => {
  // In a mount namespace with a /run of its own: that of the machine may have a coldpgs at work.
  const script = `
    mount -t tmpfs tmpfs /run || exit 9
    ${process.execPath} ${program('mem-agent-srv')} --simulate --memcg-period-secs 77 2>/dev/null & pid=$!
    trap 'kill $pid; wait $pid' EXIT
    until [ -e /run/coldpgs/coldpgs/version ]; do kill -0 $pid || exit 8; sleep 0.1; done
    unset COLDPGS_MOUNT
    ${process.execPath} ${program('mem-agent-ctl')} memcgset --memcg-swap true || exit 7
    cat /run/coldpgs/sys/kernel/mm/mem_agent/memcg/{period_secs,swap}`;
  t.match(await command('unshare', ['--mount', '--propagation', 'private', 'bash', '-c', script]), {
    status: 0,
    stdout: '77\ntrue\n',
    stderr: '',
  });
});

void t.test('more memcgs than one write has room for', { skip, timeout: 100_000 }, async (t) => {
  const bench = new Bench(await temporaryFolder(t));
  await daemonAt(t, bench);
  const memcgs = Array.from({ length: 200 }, (_, index) => `path=/pods/größe-${1000 + index},period-secs=60`);
  const memcgset = (word: string, settings: readonly string[], options = '') =>
    bench.run(
      `target/debug/mem-agent-ctl memcgset ${settings.map((one) => `--memcg-${word} ${one}`).join(' ')} ${options}`,
    );
  const kept = async (): Promise<string[]> => (await bench.read('memcg', 'cgroups')).split('\n');

  const slip = [...memcgs.slice(0, 199), 'path=/pods/slip,period-secs=0'];
  t.match(await memcgset('add', slip), { status: 2, stderr: /\/pods\/slip period_secs takes/ });
  t.same(await kept(), [''], 'a slip of the pen is found before anything is written');

  t.match(await memcgset('add', memcgs, '--memcg-period-secs 30'), { status: 0, stderr: '' });
  t.same(await kept(), memcgs);
  t.match(await bench.settings('memcg'), { period_secs: 30 });

  const { status, stderr } = await memcgset(
    'del',
    [...memcgs.slice(0, 150), 'path=/pods/nobody'],
    '--memcg-period-secs 40',
  );
  t.equal(status, 2);
  const [, done = ''] =
    /it has no settings of its own: use add .*The first (\d+) of 151 changes were made\.$/m.exec(stderr) ?? [];
  t.same(await kept(), memcgs.slice(Number(done)), stderr);
  t.ok(Number(done) > 0);
  t.notMatch(stderr, /Nothing was changed/);
  t.match(await bench.settings('memcg'), { period_secs: 30 });

  const long = `path=/${'x'.repeat(4096)}`;
  t.match(await memcgset('add', [long]), { status: 2, stderr: /A write takes at most 4096 bytes/ });
});
