import fc from 'fast-check';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { bucketWrites, globalWrites, kidledWrites, memcgWrites, type Writes } from '../unit/files/writes.js';
import { SimulatingDaemon } from './files-daemon.js';
import { command, eventually, mountsBelow, temporaryFolder } from './fixture.js';

const globalFolder = 'sys/kernel/mm/coldpgs';
const night = 'sys/fs/cgroup/batch/night';
const kidledFolder = 'sys/kernel/mm/kidled';

const skip =
  process.geteuid?.() !== 0 ? 'mounting needs root' : existsSync('/dev/fuse') ? false : 'there is no /dev/fuse';

/** A daemon that serves the simulated machine in a new folder. */
async function serve(t: Test, ...options: readonly string[]): Promise<SimulatingDaemon> {
  const daemon = new SimulatingDaemon(t, await temporaryFolder(t), options);
  await daemon.logged('"mounted"');
  return daemon;
}

/** Writes everything a table has to the mounted files, and compares errno and text with it. */
async function follows(
  t: Test,
  daemon: SimulatingDaemon,
  table: Readonly<Record<string, Writes>>,
  fileOf: (name: string) => string,
) {
  for (const [name, { taken, refused }] of Object.entries(table)) {
    const file = fileOf(name);
    const good = Object.entries(taken).map(([text, read]) => ({ file, text, read: `${read}\n` }));
    const last = good.at(-1);
    // A write of no bytes reaches nobody, as in sysfs.
    const bad = refused.filter((text) => text !== '').map((text) => ({ file, text, read: last?.read }));
    const expected = [
      ...good.map(({ read }) => ({ errno: 'OK', read })),
      ...bad.map(({ read }) => ({ errno: 'EINVAL', read })),
    ];
    t.same(await daemon.write([...good, ...bad]), expected, file);
  }
}

void t.test('the files on a machine where nothing is proven cold yet', { skip }, async (t) => {
  const daemon = await serve(t);

  await t.test('names, permissions and owner are the module’s', async (t) => {
    t.equal(
      await daemon.says(`cd ${globalFolder}; stat -c '%a %u:%g %n' *`),
      ['batch', 'compact', 'flags', 'hierarchy', 'mode', 'swapin', 'threshold', 'threshold_nonrot']
        .map((name) => `600 0:0 ${name}\n`)
        .join('') + '400 0:0 version\n',
    );
    for (const folder of ['sys/fs/cgroup', night])
      t.equal(
        await daemon.says(`cd ${folder}; stat -c '%a %u:%g %n' memory.*`),
        ['flags', 'size', 'stats', 'swapin', 'threshold'].map((name) => `644 0:0 memory.coldpgs.${name}\n`).join('') +
          '644 0:0 memory.idle_page_stats\n',
      );
    t.equal(await daemon.says('ls sys/fs/cgroup | grep -v memory'), 'batch\ndb\nsystem.slice\nweb\n');
    t.match(await daemon.sh(`echo 1 > ${globalFolder}/version`), { stderr: 'Permission denied' });
    const nobody = 'setpriv --reuid=65534 --regid=65534 --clear-groups';
    t.equal(await daemon.says(`${nobody} cat ${night}/memory.coldpgs.size`), '0\n');
    t.match(await daemon.sh(`${nobody} cat ${globalFolder}/mode`), { stderr: 'Permission denied' });
    t.match(await daemon.sh(`${nobody} sh -c 'echo 1 > ${night}/memory.coldpgs.size'`), {
      stderr: 'Permission denied',
    });
  });

  await t.test('the global files take and refuse what the module does', async (t) => {
    await follows(t, daemon, globalWrites, (name) => `${globalFolder}/${name}`);
  });

  await t.test('the files of a memcg take and refuse what the module does', async (t) => {
    // Each in a memcg of its own: a threshold and a size together would be a pair.
    const memcgs: Record<string, string> = { flags: 'web', threshold: 'db', size: 'batch' };
    await follows(t, daemon, memcgWrites, (name) => `sys/fs/cgroup/${memcgs[name]}/memory.coldpgs.${name}`);
  });

  await t.test('the files of kidled take and refuse what kidled does', async (t) => {
    t.equal(
      await daemon.says(`cd ${kidledFolder}; stat -c '%a %u:%g %n' *`),
      ['scan_period_in_seconds', 'scan_target', 'use_hierarchy'].map((name) => `644 0:0 ${name}\n`).join(''),
    );
    await follows(t, daemon, kidledWrites, (name) => `${kidledFolder}/${name}`);
    await daemon.says(`echo 15 > ${kidledFolder}/scan_period_in_seconds`);
  });

  await t.test('buckets are taken and refused as by kidled', async (t) => {
    const file = 'sys/fs/cgroup/web/memory.idle_page_stats';
    const { taken, refused } = bucketWrites;
    const ended = await daemon.write([...Object.keys(taken), ...Object.keys(refused)].map((text) => ({ file, text })));
    const last = Object.values(taken).at(-1);
    t.same(
      ended.map(({ errno, read }) => [errno, /^# buckets: (.*)$/m.exec(read)?.[1]]),
      [
        ...Object.values(taken).map((buckets) => ['OK', buckets]),
        ...Object.values(refused).map((errno) => [errno, last]),
      ],
    );
  });

  await t.test('what koordlet does works: it truncates, writes no newline, and reads 31 lines', async (t) => {
    await daemon.says(`printf 1 > ${kidledFolder}/use_hierarchy; printf 120 > ${kidledFolder}/scan_period_in_seconds`);
    t.equal(await daemon.says(`cat ${kidledFolder}/{use_hierarchy,scan_period_in_seconds}`), '1\n120\n');
    t.equal(await daemon.says('wc -l < sys/fs/cgroup/memory.idle_page_stats'), '31\n');
    await daemon.says(`printf 15 > ${kidledFolder}/scan_period_in_seconds`);
  });

  await t.test('swapin says and takes its word to the byte', async (t) => {
    for (const file of [`${globalFolder}/swapin`, `${night}/memory.coldpgs.swapin`]) {
      t.equal(await daemon.says(`cat ${file}; echo swapin > ${file}`), 'swapin\n');
      for (const wrong of ['printf swapin', "printf 'swapin\\n\\n'", 'echo Swapin', "printf ' swapin\\n'"])
        t.match(await daemon.sh(`${wrong} > ${file}`), { status: 1, stderr: 'Invalid argument' }, wrong);
    }
  });

  await t.test('why a write was refused is in coldpgs/errors', async (t) => {
    await daemon.sh(`echo 256 > ${globalFolder}/threshold_nonrot`);
    t.match(
      await daemon.says('tail -n 1 coldpgs/errors'),
      /Z \/sys\/kernel\/mm\/coldpgs\/threshold_nonrot: .* from 0 to 255; "256\\n" was written\. Nothing was changed\.\n/,
    );
    t.match(await daemon.says('cat coldpgs/settings'), /^scan-period: 15$/m);
  });

  await t.test('any bytes to any file: taken or a documented errno, and everything goes on', async (t) => {
    const files = [
      ...[...Object.keys(globalWrites), 'swapin'].map((name) => `${globalFolder}/${name}`),
      ...[...Object.keys(memcgWrites), 'stats', 'swapin'].map((name) => `sys/fs/cgroup/db/memory.coldpgs.${name}`),
      ...Object.keys(kidledWrites).map((name) => `${kidledFolder}/${name}`),
      'sys/fs/cgroup/memory.idle_page_stats',
    ];
    const text = fc.oneof(
      fc.uint8Array({ maxLength: 64 }).map((some) => Buffer.from(some).toString('latin1')),
      fc
        .array(fc.constantFrom('0', '1', '9', 'f', 'x', '+', '-', ' ', '\n', '\0', '\xa0'), { maxLength: 6 })
        .map((some) => some.join('')),
      fc.constantFrom('swapin\n', '\n'.repeat(4096), '1'.repeat(4096), '\xff'.repeat(4097), ' '.repeat(100_000)),
    );
    const writes = fc.sample(fc.record({ file: fc.constantFrom(...files), text }), 1000);
    const ended = await daemon.write(writes);
    const errnos = new Set(ended.map(({ errno }) => errno));
    errnos.delete('E2BIG');
    t.same([...errnos].sort(), ['EINVAL', 'OK']);
    t.equal(await daemon.says(`cat ${globalFolder}/version`), '0x20500\n');
    t.equal(await daemon.says('grep writesInProgress coldpgs/gauges'), 'writesInProgress: 0\n');
    t.notMatch(daemon.log.join('\n'), 'unexpectedly', 'nothing failed in a way of its own');
  });

  await t.test('Ctrl-C unmounts and ends with 0', async (t) => {
    t.equal(await daemon.signal('SIGINT').ended, 0);
    t.same(await mountsBelow(daemon.mountPoint), []);
    t.match(daemon.log.at(-1), '"unmounted"');
  });
});

void t.test('the files at work: cold memory goes and comes back', { skip }, async (t) => {
  const daemon = await serve(t, '--scan-period', '1');
  const stat = (row: string): string => `grep '^${row}' ${night}/memory.coldpgs.stats`;
  const inProgress = (count: number) =>
    eventually(`${count} writes in progress`, async () =>
      (await daemon.says('cat coldpgs/gauges')).includes(`writesInProgress: ${count}\n`),
    );

  await t.test('while a reclaim runs everything can be read, and the pair reads 0', async (t) => {
    await daemon.says(`echo 3 > ${globalFolder}/mode; echo 1 > ${night}/memory.coldpgs.threshold; sleep 5`);
    const writing = daemon.sh(`echo 100000000 > ${night}/memory.coldpgs.size`);
    await inProgress(1);
    t.equal(await daemon.says(`cd ${night}; cat memory.coldpgs.{threshold,size}`), '0\n0\n');
    await daemon.says('for i in 1 2 3; do find . -type f -exec cat {} + > /dev/null; ls -lR > /dev/null; done');
    t.match(await daemon.says('cat coldpgs/gauges'), 'writesInProgress: 1\n', 'it still runs');
    t.match(await writing, { status: 0, stderr: '' });
  });

  await t.test('what went is in the stats, at most a batch more than the size', async (t) => {
    const rows = await daemon.says(`${stat('')} | head -12`);
    const kilobytes = [...rows.matchAll(/^(pagecache dropped|anon swap out) *: *(\d+) kB$/gm)].map((match) =>
      Number(match[2]),
    );
    const freed = kilobytes.reduce((sum, one) => sum + one, 0) * 1024;
    t.ok(freed >= 100_000_000 - 4096 && freed < 100_000_000 + 64 * 4096, `${freed} bytes`);
    t.match(rows, /^pagecache dropped {15}: {1,20}\d+ kB$/m);
  });

  await t.test('swapin brings it back; 0 resets the stats', async (t) => {
    t.not(await daemon.says(stat('anon swap out')), 'anon swap out                   :                    0 kB\n');
    await daemon.says(`echo swapin > ${night}/memory.coldpgs.swapin`);
    const amount = async (row: string): Promise<string | undefined> =>
      / (\d+) kB/.exec(await daemon.says(stat(row)))?.[1];
    t.equal(await amount('anon swap in'), await amount('anon swap out'));
    await daemon.says(`echo 0 > ${night}/memory.coldpgs.stats`);
    t.equal(await amount('anon swap in'), '0');
  });

  await t.test('Ctrl-C in the middle of a reclaim: the writer is told, it unmounts and ends with 0', async (t) => {
    const writing = daemon.sh(`echo 1 > ${globalFolder}/threshold`);
    await inProgress(1);
    t.equal(await daemon.signal('SIGINT').ended, 0);
    t.match(await writing, { status: 1, stderr: 'Interrupted system call' });
    t.same(await mountsBelow(daemon.mountPoint), []);
  });
});

void t.test('a mount point that cannot be used: exit code 5, and a sentence with the way out', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const [full, taken] = [join(folder, 'full'), join(folder, 'taken')];
  await mkdir(full);
  await writeFile(join(full, 'precious'), '');
  await mkdir(taken);
  await command('mount', ['-t', 'tmpfs', 'their-data', taken]);
  const cases = {
    [join(folder, 'missing')]: `mkdir -p '${join(folder, 'missing')}'`,
    [full]: 'would hide precious',
    [taken]: 'their-data (tmpfs) is mounted there',
  };
  await Promise.all(
    Object.entries(cases).map(async ([mountPoint, sentence]) => {
      const daemon = new SimulatingDaemon(t, mountPoint, ['--log-level', 'silent']);
      t.equal(await daemon.ended, 5, mountPoint);
      t.match(daemon.log, [/^coldpgs: /]);
      t.match(daemon.log.join('\n'), sentence);
    }),
  );
});
