import yargs, { type Argv } from 'yargs';
import { hideBin } from 'yargs/helpers';
import { autopilotOptions, cgroupsOption, parseAutopilotOptions } from '../daemon/autopilot-options.js';
import { packageVersion } from '../daemon/package-version.js';
import { fitsOneWrite, memAgentFolder, MountedFiles, mountOption } from './mounted-files.js';
import { runParser } from './parser.js';

type Given = Record<string, unknown> & { mount: string };

const cgroupWords = ['del', 'add', 'set'] as const;

/** mem-agent-ctl: what mem-agent's client does, through the mounted files. Sets the exit code. */
export async function main(args: readonly string[] = hideBin(process.argv)): Promise<void> {
  const parser = yargs([...args])
    .scriptName('mem-agent-ctl')
    .usage('$0 COMMAND\n\nChanges and shows the autopilot of a running coldpgs.')
    .option('mount', mountOption)
    .option('addr', { type: 'string', requiresArg: true, describe: 'not used: the mounted files are' })
    .command(
      'memcgset',
      'Change how memcgs are reclaimed',
      (command: Argv) => withCgroups(withSettings(command, 'memcg')),
      (given) => set(given as unknown as Given, 'memcg'),
    )
    .command(
      'compactset',
      'Change how memory is compacted',
      (command: Argv) => withSettings(command, 'compact'),
      (given) => set(given as unknown as Given, 'compact'),
    )
    .command('memcgstatus', 'Print what was done, by memcg and node', {}, (given) =>
      print(given as unknown as Given, 'memcg/status'),
    )
    .command('compactstatus', 'Print what compactions there were', {}, (given) =>
      print(given as unknown as Given, 'compact/status'),
    )
    .command(
      'loglevelset [level]',
      'Change what the daemon logs',
      (command: Argv) =>
        command
          .positional('level', { type: 'string', describe: 'trace, debug, info, warn, error or silent' })
          .option('log-level', { type: 'string', requiresArg: true, describe: 'the same' }),
      (given) => {
        const level = given.level ?? given['log-level'] ?? '';
        new MountedFiles((given as unknown as Given).mount).write(`${memAgentFolder}/log_level`, level);
      },
    )
    .version(packageVersion());
  await runParser(parser, 'mem-agent-ctl');
}

function withSettings(command: Argv, half: 'memcg' | 'compact'): Argv {
  for (const { name, describe } of autopilotOptions.filter((one) => one.half === half))
    command.option(name, { type: 'string', requiresArg: true, describe });
  return command;
}

function withCgroups(command: Argv): Argv {
  for (const word of cgroupWords)
    command.option(`memcg-${word}`, {
      type: 'string',
      array: true,
      requiresArg: true,
      describe: `${word} settings of one memcg: path=/pod,numa-id=0:1,no-subdir=true,period-secs=60,...; may be given again`,
    });
  return command;
}

/** All that is asked for in one write, taken whole or not at all; memcgs that do not fit into one in several before the rest. */
function set(given: Given, half: 'memcg' | 'compact'): void {
  const cgroups = cgroupWords.flatMap((word) =>
    ((given[`memcg-${word}`] ?? []) as string[]).map((text) => ({ word, text: text.trim() })),
  );
  // Checked here as well: for sentences that name the options, and so that nothing is half done for a slip of the pen.
  parseAutopilotOptions({ ...given, [cgroupsOption.name]: cgroups.map(({ text }) => text) });
  const values = autopilotOptions
    .filter((one) => one.half === half && given[one.name] !== undefined)
    .map(({ name, key }) => `${JSON.stringify(key)}:${jsonValue(String(given[name]), key)}`);
  const commands = cgroups.map(({ word, text }) => JSON.stringify(`${word} ${text}`));
  const whole = `{${[...values, ...(commands.length > 0 ? [`"cgroups":[${commands.join(',')}]`] : [])].join(',')}}`;
  const files = new MountedFiles(given.mount);
  const settings = `${memAgentFolder}/${half}/settings`;
  if (fitsOneWrite(whole)) return files.write(settings, whole);
  files.writeLines(
    `${memAgentFolder}/memcg/cgroups`,
    cgroups.map(({ word, text }) => `${word} ${text.replaceAll('\n', '\\012')}`),
  );
  if (values.length > 0) files.write(settings, `{${values.join(',')}}`);
}

/** Digits are handed on as they are: the largest u64 is no number of ours. */
function jsonValue(text: string, key: string): string {
  if (key === 'disabled' || key === 'swap') return text === '1' ? 'true' : text === '0' ? 'false' : text;
  return text;
}

function print(given: Given, file: string): void {
  process.stdout.write(new MountedFiles(given.mount).read(`${memAgentFolder}/${file}`));
}
