import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { SimulatingDaemon } from './files-daemon.js';
import { command, type Ended, eventually, temporaryFolder } from './fixture.js';

const folder = fileURLToPath(new URL('../../scripts/workflows', import.meta.url));

const skip =
  process.geteuid?.() !== 0 ? 'mounting needs root' : existsSync('/dev/fuse') ? false : 'there is no /dev/fuse';

/** Runs a workflow by a plain POSIX shell. */
function workflow(name: string, ...args: readonly string[]): Promise<Ended> {
  return command('sh', [`${folder}/${name}`, ...args]);
}

void t.test(
  'each workflow says what it does, refuses what it does not know, and where coldpgs is not mounted',
  async (t) => {
    for (const name of readdirSync(folder)) {
      const help = await workflow(name, '--help');
      t.match(help, { status: 0, stderr: '' });
      t.match(help.stdout, new RegExp(`^usage: ${name} `));
      const minutes = name === 'reclaim-older-than' ? ['1'] : [];
      t.match(await workflow(name, '--frob', ...minutes), { status: 2, stderr: 'See --help.' });
      t.match(await workflow(name, '--mount', '/nowhere', ...minutes), {
        status: 2,
        stderr: 'not mounted at /nowhere',
      });
    }
    for (const args of [
      ['--age', '0'],
      ['--age', '256'],
      ['--age', 'x'],
      ['--age'],
      ['--types', 'slab'],
      ['--top', '-1'],
    ])
      t.match(await workflow('cold-memcgs', ...args), { status: 2 }, args.join(' '));
    for (const args of [[], ['soon'], ['-5'], ['0x5'], ['--types', 'slab', '5']])
      t.match(await workflow('reclaim-older-than', ...args), { status: 2 }, args.join(' '));
  },
);

void t.test('find what is cold, see how old it is, reclaim it', { skip }, async (t) => {
  const daemon = new SimulatingDaemon(t, await temporaryFolder(t), ['--scan-period', '1']);
  await daemon.logged('"mounted"');
  const run = (name: string, ...args: readonly string[]) => workflow(name, '--mount', daemon.mountPoint, ...args);
  await eventually('memory of age 5', async () =>
    (await run('cold-memcgs')).stdout.includes('\n1792.0 /batch/night\n'),
  );

  await t.test('cold-memcgs: most first, by type and age', async (t) => {
    const { status, stdout, stderr } = await run('cold-memcgs');
    t.match({ status, stderr }, { status: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    t.equal(lines[1], '1792.0 /batch/night');
    const amounts = lines.map((line) => Number(line.split(' ')[0]));
    t.equal(
      lines[0],
      `${amounts
        .slice(1)
        .reduce((sum, one) => sum + one, 0)
        .toFixed(1)} /`,
      'the root has all',
    );
    t.same(
      amounts,
      [...amounts].sort((one, other) => other - one),
    );
    t.match(await run('cold-memcgs', '--types', 'anon', '--top', '2'), {
      stdout: /^\d+\.\d \/\n768\.0 \/batch\/night\n$/,
    });
    t.match(await run('cold-memcgs', '--age', '240'), { stdout: '' });
  });

  await t.test('idle-report: a line for each type, of the memcgs below one', async (t) => {
    const { stdout } = await run('idle-report', '/batch');
    const [head = '', ...lines] = stdout.trimEnd().split('\n');
    t.match(head, /^memcg +MiB +>=1s +>=2s +>=5s +>=15s +>=30s +>=60s +>=2min +>=4min$/);
    t.same(
      lines.map((line) => line.trim().split(/ +/).slice(0, 2)),
      [
        ['/batch/night', 'file'],
        ['/batch/night', 'anon'],
        ['/batch/report', 'anon'],
      ],
    );
    const cells = (lines[0] ?? '').trim().split(/ +/).slice(2).map(Number);
    t.equal(
      cells.reduce((sum, one) => sum + one, 0),
      1024,
    );
    t.match(await run('idle-report', '/none'), { status: 2, stderr: 'there is no memcg /none' });
  });

  await t.test('reclaim-older-than: what went, by memcg; mode is put back', async (t) => {
    await daemon.says('echo 4 > sys/kernel/mm/coldpgs/mode');
    const one = await run('reclaim-older-than', '0', '/batch/night');
    t.match(one, { status: 0, stdout: '1024.0 MiB left /batch/night\n' });
    t.equal(await daemon.says('cat sys/kernel/mm/coldpgs/mode'), '0x4\n');
    const all = await run('reclaim-older-than', '--types', 'both', '0');
    t.match(all, { status: 0, stdout: /^768\.0 MiB left \/batch\/night$/m });
    t.match(await run('reclaim-older-than', '5'), { status: 2, stderr: '300 periods of 1 s, and 255 is the most' });
    t.match(await run('reclaim-older-than', '0010'), { status: 2, stderr: '10 minutes are 600 periods of 1 s' });
    t.match(await run('reclaim-older-than', '08'), { status: 2, stderr: '8 minutes are 480 periods of 1 s' });
    t.match(await run('reclaim-older-than', '200000000000000000'), {
      status: 2,
      stderr: 'more than any memory is old',
    });
    t.match(await run('reclaim-older-than', '1', '/none'), { status: 2, stderr: 'there is no memcg /none' });
    t.match(await run('reclaim-older-than', '4', '/batch/report'), {
      status: 0,
      stdout: 'nothing was reclaimed\n',
      stderr: 'nothing is proven idle for 240 periods',
    });
    await daemon.says('echo 0 > sys/kernel/mm/kidled/scan_period_in_seconds');
    t.match(await run('reclaim-older-than', '1'), { status: 2, stderr: 'scan_period_in_seconds is 0' });
  });
});
