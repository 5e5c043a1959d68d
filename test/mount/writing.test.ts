import { conformance, eventually, serve } from './fixture.js';
import { gap } from './transports.js';

conformance(async (t, transport) => {
  const server = await serve(t, transport);

  /** Every write that the journal of that name was given. */
  async function journal(name: string): Promise<unknown[]> {
    const lines = (await server.says(`cat journals/${name}`)).split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as unknown);
  }

  await t.test('each write(2) is applied once, as it is, whichever way the file was opened', async (t) => {
    await server.says('echo 1 > journals/shell');
    await server.says('printf 2 > journals/shell');
    await server.says('echo 3 >> journals/shell');
    await server.says('echo 4 | tee journals/shell journals/other > /dev/null');
    await server.says('printf 56 | dd of=journals/shell bs=1 seek=7 conv=notrunc status=none');
    await server.says('(echo 7; echo 8) > journals/shell');
    t.same(await journal('shell'), ['1\n', '2', '3\n', '4\n', '5', '6', '7\n', '8\n']);
    t.same(await journal('other'), ['4\n']);
  });

  await t.test('any bytes arrive, also NUL and what is not UTF-8', async (t) => {
    await server.says(String.raw`printf 'a\000\377\n' > journals/bytes`);
    t.same(await journal('bytes'), ['a\0\xff\n']);
  });

  await t.test('opening for write and truncating alone apply nothing', async (t) => {
    await server.says(': > journals/untouched; truncate -s 0 journals/untouched; : >> journals/untouched');
    t.same(await journal('untouched'), []);
  });

  await t.test('a page is accepted, more is refused whole', async (t) => {
    await server.says(
      'head -c 4096 /dev/zero | tr "\\\\0" x | dd of=journals/page bs=4096 status=none iflag=fullblock',
    );
    t.same(await journal('page'), ['x'.repeat(4096)]);
    for (const bytes of [4097, 8192, 100_000, 1_000_000]) {
      const { status, stderr } = await server.sh(`dd if=/dev/zero of=journals/long bs=${bytes} count=1 status=none`);
      t.match({ status, stderr }, { status: 1, stderr: 'Invalid argument' }, `${bytes} bytes`);
    }
    t.same(await journal('long'), []);
  });

  await t.test('an error of apply is the error of the write', async (t) => {
    t.match(await server.sh('echo 1 > refusing'), { status: 1, stderr: 'Invalid argument' });
    t.match(await server.sh('echo 1 > busy'), { status: 1, stderr: 'Device or resource busy' });
    t.match(await server.sh('echo 1 > defective'), { status: 1, stderr: 'Input/output error' });
    t.equal(await server.says('cat refusing'), 'nothing\n', 'and the file stays usable');
  });

  await t.test('a file that cannot be written refuses root too, at open', async (t) => {
    t.match(await server.sh('echo 1 > read-only'), { stderr: 'Permission denied' });
    t.match(await server.sh('echo 1 >> read-only'), { stderr: 'Permission denied' });
    t.match(await server.sh('truncate -s 0 read-only'), { stderr: 'Permission denied' });
  });

  await t.test('others may do what the permission bits say', async (t) => {
    const asNobody = 'setpriv --reuid=65534 --regid=65534 --clear-groups';
    t.equal(await server.says(`${asNobody} cat refusing`), 'nothing\n');
    t.match(await server.sh(`${asNobody} cat read-only`), { stderr: 'Permission denied' });
    t.match(await server.sh(`${asNobody} sh -c 'echo 1 > echo'`), { stderr: 'Permission denied' });
  });

  await t.test('what would change the tree is refused as in sysfs', async (t) => {
    const refused = {
      'Operation not permitted': [
        'mkdir made',
        'rmdir many',
        'rm echo',
        'mv echo other',
        'ln echo other',
        'ln -s echo other',
        'mknod other p',
        'chmod 600 echo',
        'chown 1 echo',
      ],
      'Permission denied': ['echo 1 > made', 'touch made'],
    };
    for (const [stderr, scripts] of Object.entries(refused))
      for (const script of scripts) t.match(await server.sh(script), { stderr }, script);
  });

  await t.test('every write is in the log, with what was written', async (t) => {
    await server.says('echo hello > echo');
    await server.sh('echo no > refusing');
    const details = server.said.flatMap((said) => (said.event === 'log' ? [said['details']] : []));
    t.match(details.at(-2), { operation: 'write', path: '/echo', text: String.raw`"hello\n"` });
    t.match(details.at(-1), { operation: 'write', path: '/refusing', text: String.raw`"no\n"`, errno: 'EINVAL' });
  });

  await t.test('and with who wrote', { skip: gap(transport, 'callers') }, async (t) => {
    const pid = await server.says("setpriv --regid=1234 --clear-groups sh -c 'echo $$; echo hello > echo'");
    const written = await eventually('the line', () => server.said.findLast(({ sentence }) => sentence === 'written'));
    t.match(written, { details: { path: '/echo', uid: 0, gid: 1234, pid: Number(pid) } });
  });

  await t.test(
    'a handle for both reads what it wrote; fsync has nothing to do; what is not open for it is EBADF',
    async (t) => {
      const both = `perl -MFcntl -MIO::Handle -e '
      sysopen my $file, "echo", O_RDWR or die "open: $!";
      defined syswrite $file, "both\\n" or die "write: $!";
      $file->sync or die "fsync: $!";
      sysseek $file, 0, 0; sysread $file, my $text, 100; print $text;
      sysopen my $in, "echo", O_RDONLY or die; defined syswrite $in, "x" or print "writing: $!\\n";
      sysopen my $out, "echo", O_WRONLY or die; defined sysread $out, $text, 1 or print "reading: $!\\n";'`;
      const bad = 'Bad file descriptor';
      t.equal(await server.says(both), `both\nwriting: ${bad}\nreading: ${bad}\n`);
      t.equal(await server.says('truncate -s 3 echo; cat echo'), 'both\n', 'it is no store of bytes');
    },
  );

  await t.test('Ctrl-C ends a write that waits', { skip: gap(transport, 'interrupts') }, async (t) => {
    const script = `
      trap : INT
      (sleep 0.3; kill -INT $$) &
      echo waiting > slow/60000
      echo "status $?"`;
    t.match(await server.sh(`bash -c '${script}'`), { stdout: 'status 1', stderr: 'Interrupted system call' });
    t.equal(await server.says('cat slow/60000'), 'begin waiting\n', 'it has not gone on to its end');

    const jobsEnd = `
      trap : CHLD
      sleep 0.2 &
      sleep 0.4 &
      echo done > slow/900
      echo "status $?"`;
    t.match(
      await server.sh(`bash -c '${jobsEnd}'`),
      { stdout: 'status 0', stderr: '' },
      'the end of a job is no reason',
    );
    const interruptedLater = `
      trap : CHLD INT
      sleep 0.2 &
      (sleep 0.6; kill -INT $$) &
      echo waiting > slow/60002
      echo "status $?"`;
    t.match(await server.sh(`bash -c '${interruptedLater}'`), { stdout: 'status 1' }, 'a signal after such a one is');
    await server.says('echo 1 > slow/60001 & sleep 0.3; kill -KILL $!; wait $! 2> /dev/null || true');
    await server.gaugesShow({ writesInProgress: 0, openFiles: 0 });
  });
});
