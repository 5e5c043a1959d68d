import t from 'tap';
import { SimulatingDaemon } from './files-daemon.js';
import { conformance, reasonToSkip, serve, temporaryFolder } from './fixture.js';
import { gap } from './transports.js';

/**
 * perl's select: the last set is that of POLLPRI. Reads the file, waits for news up to so many seconds, and so on until there are none; says what
 * it read each time.
 */
const watching = (file: string, seconds: number): string => `
  perl -e '
    open my $file, "<", "${file}" or die;
    $| = 1;
    while (1) {
      sysseek $file, 0, 0; sysread $file, my $text, 100; print $text;
      my $news = ""; vec($news, fileno $file, 1) = 1;
      select(undef, undef, $news, ${seconds}) or exit;
    }'`;

conformance(async (t, transport) => {
  const server = await serve(t, transport);
  const skip = gap(transport, 'poll');

  await t.test('who waits for news is woken once per change', { skip }, async (t) => {
    const script = `(sleep 0.5; echo first > told-of; sleep 0.5; echo second > told-of) & ${watching('told-of', 2)}`;
    t.equal(await server.says(script), 'nothing yet\nfirst\nsecond\n');
    await server.gaugesShow({ pollersWaiting: 0, openFiles: 0 });
  });

  await t.test('a change between the read and the wait is not missed', { skip }, async (t) => {
    const between = `
      perl -e '
        open my $file, "<", "told-of" or die; sysread $file, my $text, 100;
        system "echo between > told-of";
        my $news = ""; vec($news, fileno $file, 1) = 1;
        print scalar select(undef, undef, $news, 5), "\\n"; sysseek $file, 0, 0; sysread $file, $text, 100; print $text;'`;
    t.equal(await server.says(between), '1\nbetween\n');
  });

  await t.test('every file can be read and written at once, as in sysfs', async (t) => {
    const ready = `
      perl -e '
        open my $file, "+<", "echo" or die; my $in = ""; vec($in, fileno $file, 1) = 1; my $out = $in; my $news = $in;
        print scalar select($in, $out, $news, 5), " ", unpack("b*", $news) =~ /1/ ? "news" : "no news", "\\n";'`;
    t.equal(await server.says(ready), '2 no news\n');
  });
});

/** Reads the file, waits for news up to so many seconds, and says whether there were any. */
const hasNews = (file: string, seconds: number): string => `
  perl -e '
    open my $file, "<", "${file}" or die; sysread $file, my $text, 10000;
    my $news = ""; vec($news, fileno $file, 1) = 1;
    print scalar select(undef, undef, $news, ${seconds}), "\n";'`;

void t.test('coldpgs itself tells who waits', { skip: reasonToSkip() }, async (t) => {
  const daemon = new SimulatingDaemon(t, await temporaryFolder(t), ['--scan-period', '1', '--transport', 'dev-fuse']);
  await daemon.logged('"mounted"');
  const web = 'sys/fs/cgroup/web';

  await t.test('of a look, by memory.idle_page_stats', async (t) => {
    t.equal(await daemon.says(hasNews(`${web}/memory.idle_page_stats`, 10)), '1\n');
  });

  await t.test('of what was reclaimed, by memory.coldpgs.stats; not of a look', async (t) => {
    t.equal(await daemon.says(hasNews(`${web}/memory.coldpgs.stats`, 2)), '0\n');
    await daemon.says(`echo 3 > sys/kernel/mm/coldpgs/mode`);
    const reclaiming = `for n in $(seq 20); do echo 1 > ${web}/memory.coldpgs.threshold; echo 999999999 > ${web}/memory.coldpgs.size; sleep 0.3; done`;
    t.equal(await daemon.says(`(${reclaiming}) & ${hasNews(`${web}/memory.coldpgs.stats`, 14)}; kill $!`), '1\n');
  });
});
