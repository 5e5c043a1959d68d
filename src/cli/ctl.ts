import type { CommandModule } from 'yargs';
import { ColdpgsError } from '../errors.js';
import { memAgentFolder, MountedFiles, mountOption } from './mounted-files.js';

interface Arguments {
  readonly request?: string[] | undefined;
  readonly cmd?: string | undefined;
  readonly mount: string;
}

/** The requests of kata-agent-ctl that concern memory, and the file that takes each one's JSON. */
const fileOfRequest: Readonly<Record<string, string>> = {
  MemAgentMemcgSet: `${memAgentFolder}/memcg/settings`,
  MemAgentCompactSet: `${memAgentFolder}/compact/settings`,
};

/**
 * coldpgs ctl 'MemAgentMemcgSet json://{...}': changes settings of a running autopilot. Takes the arguments of `kata-agent-ctl connect` as well; the
 * server's address means nothing here.
 */
export const ctlCommand: CommandModule<object, Arguments> = {
  command: 'ctl [request..]',
  describe: 'Change the autopilot of a running coldpgs as kata-agent-ctl does',
  builder: (command) =>
    command
      .positional('request', {
        type: 'string',
        array: true,
        describe: 'such as \'MemAgentMemcgSet json://{"period_secs":600}\'',
      })
      .option('cmd', { type: 'string', requiresArg: true, describe: 'the request, after connect' })
      .option('mount', mountOption)
      .option('server-address', { type: 'string', requiresArg: true, describe: 'not used: the mounted files are' })
      .option('hybrid-vsock', { type: 'boolean', describe: 'not used' }),
  handler: ({ request = [], cmd, mount }) => {
    const words = request[0] === 'connect' ? request.slice(1) : request;
    const { file, json } = parseRequest(cmd ?? words.join(' '));
    new MountedFiles(mount).write(file, json);
  },
};

/** The file and the text for it. The JSON is handed on as it is: its numbers may be larger than ours. Throws BAD_SETTING. */
export function parseRequest(text: string): { readonly file: string; readonly json: string } {
  const [, name = '', json = ''] = /^\s*(\w+)\s+json:\/\/(.*)$/s.exec(text) ?? [];
  const file = fileOfRequest[name];
  if (file === undefined)
    throw new ColdpgsError(
      'BAD_SETTING',
      'EINVAL',
      `${JSON.stringify(text)} is no request: say ${Object.keys(fileOfRequest).join(' or ')}, then json:// and the settings.`,
    );
  return { file, json };
}
