import type { Argv, CommandModule } from 'yargs';
import { endLike, execute, isMounted } from '../compat/exec.js';
import { layoutNames, type LayoutName } from '../compat/layouts.js';
import { ColdpgsError } from '../errors.js';
import { mountOption } from './mounted-files.js';

export interface ExecArguments {
  readonly layout?: LayoutName | undefined;
  readonly mount: string;
}

/** coldpgs exec [--layout v2|v1] -- COMMAND: runs it where the files are where the kernel would have them. Its exit status is ours. */
export const execCommand: CommandModule<object, ExecArguments> = {
  command: 'exec',
  describe: 'Run a command (after --) with the files where the kernel would have them',
  builder: (command) => withExecOptions(command).usage('$0 exec [--layout v2|v1] -- COMMAND [ARG...]'),
  handler: (given) => {
    const dashes = process.argv.indexOf('--');
    const command = dashes < 0 ? [] : process.argv.slice(dashes + 1);
    if (command.length === 0)
      throw new ColdpgsError('BAD_SETTING', 'EINVAL', 'Name a command: coldpgs exec -- COMMAND [ARG...].');
    return run(given, command);
  },
};

export function withExecOptions(command: Argv): Argv<ExecArguments> {
  return command
    .option('layout', {
      choices: layoutNames,
      describe: 'form of the cgroup tree: as the machine has it (v2), or with the paths and names of cgroup v1',
    })
    .option('mount', mountOption);
}

/** Without a coldpgs at the place where one is expected, and unless one was named, one is started for the time of the command. */
export async function run({ layout, mount }: ExecArguments, command: readonly string[]): Promise<void> {
  const mounted = isMounted(mount);
  if (!mounted && mount !== mountOption.default)
    throw new ColdpgsError('BAD_MOUNT_POINT', 'ENOENT', `No coldpgs is mounted at ${mount}.`);
  endLike(await execute({ layout, command, mountPoint: mounted ? mount : undefined }));
}
