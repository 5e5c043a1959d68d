import { readdir, readFile, stat } from 'node:fs/promises';
import t from 'tap';
import { DemoServer, eventually, reasonToSkip, temporaryFolder } from './fixture.js';

const skip = reasonToSkip();

void t.test('the hierarchy of the machine with our files beside its own', { skip }, async (t) => {
  const parent = await temporaryFolder(t);
  const server = new DemoServer(t, 'dev-fuse', parent, undefined, 'cgroup-server.ts');
  const folder = `${parent}-cgroups`;
  t.teardown(() => server.signal('SIGTERM').ended);
  await server.heard('ready');

  await t.test('v2 is the machine’s tree, and only our files are more', async (t) => {
    const difference = await server.sh(`diff -r --brief '${folder}' cgroup/v2`);
    const lines = difference.stdout.trimEnd().split('\n');
    t.ok(lines.length > 30);
    for (const line of lines) t.match(line, /^Only in cgroup\/v2[\w/]*: memory\.(coldpgs\.\w+|idle_page_stats)$/);
  });

  await t.test('mode, owner and inode number are the machine’s own, and can be changed', async (t) => {
    const show = 'stat -c "%n %a %u:%g %i"';
    const files = 'web web/memory.max batch/night';
    t.equal(await server.says(`cd cgroup/v2; ${show} ${files}`), await server.says(`cd '${folder}'; ${show} ${files}`));
    await server.says('cd cgroup/v2/web; chmod 600 memory.max; chown 7:8 memory.max .; touch -d @1000 memory.max');
    const { mode, uid, gid, mtimeMs } = await stat(`${folder}/web/memory.max`);
    t.same([mode & 0o777, uid, gid, mtimeMs], [0o600, 7, 8, 1_000_000]);
    t.match(await server.sh('chmod 600 cgroup/v2/web/memory.coldpgs.size'), { status: 1 });
  });

  await t.test('what is read and written is the file itself, at any offset', async (t) => {
    t.equal(await server.says('cat cgroup/v2/db/memory.current'), '1048576\n');
    t.equal(await server.says('dd if=cgroup/v2/db/memory.current bs=1 skip=3 count=4 status=none'), '8576');
    await server.says('echo 4096 > cgroup/v2/db/memory.max');
    t.equal(await readFile(`${folder}/db/memory.max`, 'utf8'), '4096\n');
    t.match(await server.sh('cat cgroup/v2/db/none'), { status: 1, stderr: 'No such file or directory' });
    t.match(await server.sh('echo 1 > cgroup/v2/db/none'), { status: 1, stderr: 'Permission denied' });
  });

  await t.test('0 written to cgroup.procs is the process that writes it', async (t) => {
    const script = "exec sh -c 'echo $$; echo 0 > cgroup/v2/web/cgroup.procs'";
    const said = await server.says(script);
    t.equal(await readFile(`${folder}/web/cgroup.procs`, 'utf8'), said.trim());
  });

  await t.test('another pid namespace: its ids are translated, and 0 is the writer', async (t) => {
    // The helper that writes is in that namespace: what it writes is the id there, which the kernel would translate.
    await server.says('unshare --pid --fork --mount-proc sh -c "echo 0 > cgroup/v2/db/cgroup.procs"');
    t.equal(await readFile(`${folder}/db/cgroup.procs`, 'utf8'), '1');
  });

  await t.test('who has no right to write gets none', async (t) => {
    const asNobody = 'setpriv --reuid 65534 --regid 65534 --clear-groups sh -c';
    t.match(await server.sh(`${asNobody} "echo 1 > cgroup/v2/db/memory.max"`), {
      status: 2,
      stderr: 'Permission denied',
    });
    t.match(await server.sh(`${asNobody} "mkdir cgroup/v2/db/theirs"`), { status: 1, stderr: 'Permission denied' });
    await server.says('chown 65534 cgroup/v2/db; chmod 755 cgroup/v2/db');
    await server.says(`${asNobody} "mkdir cgroup/v2/db/theirs"`);
    t.equal((await stat(`${folder}/db/theirs`)).uid, 65534);
    await server.says(`${asNobody} "rmdir cgroup/v2/db/theirs"`);
  });

  await t.test('mkdir and rmdir make and remove the machine’s directories, with its refusals', async (t) => {
    await server.says('mkdir cgroup/v2/new; mkdir cgroup/v2/new/below');
    t.ok((await stat(`${folder}/new/below`)).isDirectory());
    t.match(await server.sh('mkdir cgroup/v2/new'), { status: 1, stderr: 'File exists' });
    t.match(await server.sh('rmdir cgroup/v2/new'), { status: 1, stderr: 'Directory not empty' });
    await server.says('rmdir cgroup/v2/new/below; rmdir cgroup/v2/new');
    t.notOk((await readdir(folder)).includes('new'));
    t.match(await server.sh('mkdir sys/fs/cgroup/web/new'), { status: 1, stderr: 'Operation not permitted' });
  });

  await t.test('poll tells of a change that the kernel tells of', async (t) => {
    const waiter = `
      import select, sys
      file = open('cgroup/v2/web/cgroup.events')
      file.read()
      poll = select.poll()
      poll.register(file, select.POLLPRI)
      print('waiting', flush=True)
      poll.poll()
      file.seek(0)
      open('${parent}-told', 'w').write(file.read())`;
    const lines = waiter.replace(/^ {6}/gm, '').trim();
    await server.inBackground(t, `python3 -c '${lines.replaceAll("'", `'"'"'`)}'`);
    await server.says(`sleep 0.3; printf 'populated 1' 1<> '${folder}/web/cgroup.events'`);
    const told = await eventually(
      'the waiter to be told',
      async () => (await readFile(`${parent}-told`, 'utf8').catch(() => '')) || undefined,
    );
    t.equal(told, 'populated 1\nfrozen 0\n');
  });

  await t.test('v1 has the names of v1, over the same groups', async (t) => {
    t.equal(
      await server.says(
        'cd cgroup/v1/web; ls -d memory.[^ci]* cgroup* tasks; cat memory.usage_in_bytes memory.limit_in_bytes',
      ),
      [
        ...[
          'cgroup.procs',
          'memory.failcnt',
          'memory.force_empty',
          'memory.limit_in_bytes',
          'memory.max_usage_in_bytes',
        ],
        ...['memory.memsw.limit_in_bytes', 'memory.memsw.usage_in_bytes', 'memory.stat', 'memory.usage_in_bytes'],
        ...['memory.use_hierarchy', 'tasks', '1048576', '9223372036854771712', ''],
      ].join('\n'),
    );
    t.match(await server.says('cat cgroup/v1/web/memory.stat'), /^cache \d+\nrss \d+\n(.*\n)*total_cache \d+\n/);
    t.equal(
      await server.says('cd cgroup/v1/batch; ls -d */ memory.coldpgs.size'),
      'memory.coldpgs.size\nnight/\nreport/\n',
    );
  });

  await t.test(
    'a limit of v1 that is below what is in use reclaims first, and is refused if that is not enough',
    async (t) => {
      const limit = 'cgroup/v1/batch/report/memory.limit_in_bytes';
      t.match(await server.sh(`echo 1M > ${limit}; echo 512K > ${limit}`), {
        status: 1,
        stderr: 'Device or resource busy',
      });
      t.equal(await server.says(`cat ${limit} '${folder}/batch/report/memory.max'`), '1048576\n1048576');
      t.equal(await readFile(`${folder}/batch/report/memory.reclaim`, 'utf8'), '524288');
      t.match(await server.says('cat coldpgs/errors'), /has more in use than 524288 bytes/);
      t.match(await server.sh(`echo 1M > cgroup/v1/memory.limit_in_bytes`), { status: 1, stderr: 'Invalid argument' });
      await server.says(`echo -1 > ${limit}`);
      t.match(await readFile(`${folder}/batch/report/memory.max`, 'utf8'), /^max/);
    },
  );

  await t.test('the owner of a file of v1 is that of what it is made from; its mode is fixed', async (t) => {
    await server.says('chown 7:8 cgroup/v1/batch/night/memory.limit_in_bytes cgroup/v1/batch/night/tasks');
    const owned = 'memory.max cgroup.threads cgroup.procs memory.current';
    t.equal(await server.says(`cd '${folder}/batch/night'; stat -c %u:%g ${owned}`), '7:8\n7:8\n7:8\n0:0\n');
    t.match(await server.sh('chmod 600 cgroup/v1/batch/night/memory.limit_in_bytes'), { status: 1 });
  });

  await t.test('mkdir in v1 gives the controller to the new group, and rmdir of the last takes it back', async (t) => {
    const given = () => readFile(`${folder}/web/cgroup.subtree_control`, 'utf8');
    await server.says('mkdir cgroup/v1/web/new');
    t.equal(await given(), '+memory');
    // The folder is not the kernel: it does not turn what was written into what it would say then.
    await server.says(`echo memory > '${folder}/web/cgroup.subtree_control'; rmdir cgroup/v1/web/new`);
    t.match(await given(), /^-memory/);
  });
});
