import { conformance, serve } from './fixture.js';
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
