import t from 'tap';
import yargs from 'yargs';
import { runParser } from '../../../src/cli/parser.js';

void t.test('a command that runs renders no help', async (t) => {
  const seen = { runs: 0, renderings: 0 };
  const parser = yargs(['work']).command('work', 'works', {}, async () => {
    await Promise.resolve();
    seen.runs++;
  });
  const usage = (parser as unknown as { getInternalMethods(): { getUsageInstance(): { help: () => string } } })
    .getInternalMethods()
    .getUsageInstance();
  usage.help = () => {
    seen.renderings++;
    return '';
  };
  await runParser(parser, 'coldpgs');
  t.same(seen, { runs: 1, renderings: 0 });
});
