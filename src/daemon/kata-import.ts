import { readFileSync } from 'node:fs';
import { ColdpgsError } from '../errors.js';
import type { AutopilotStart } from './autopilot-start.js';
import { autopilotOfKata, isKataKey, type KataEntry } from './kata-keys.js';

/** In Kata's file the keys are in [agent.kata.mem_agent] or in another table of the agent; nothing else there has such names. */
const entryLine = /^\s*([A-Za-z0-9_]+)\s*=\s*("[^"]*"|[^#\s]*)\s*(?:#.*)?$/;
const cmdlinePrefix = 'agent.';

/**
 * The mem-agent settings of a kata configuration.toml. Read line by line, not as TOML: all other keys are Kata's business, and the document's own
 * sed commands leave one key twice, which TOML forbids. Throws BAD_SETTING naming file and line.
 */
export function importKataFile(file: string): AutopilotStart {
  return autopilotOfKata(kataEntries(textOf(file, '--import-kata'), file));
}

/** The `agent.mem_agent_*` settings of a kernel command line, as Kata's runtime passes them to a guest. Throws BAD_SETTING. */
export function importCmdline(file: string): AutopilotStart {
  return autopilotOfKata(cmdlineEntries(textOf(file, '--import-cmdline'), file));
}

export function kataEntries(text: string, file: string): KataEntry[] {
  return text.split('\n').flatMap((line, index) => {
    const [, key = '', value = ''] = entryLine.exec(line) ?? [];
    return isKataKey(key) ? [{ key, value: value.replace(/^"(.*)"$/, '$1'), place: `${file}:${index + 1}` }] : [];
  });
}

export function cmdlineEntries(text: string, file: string): KataEntry[] {
  return text.split(/\s+/).flatMap((word) => {
    const [name = '', value = ''] = word.split('=');
    if (!name.startsWith(`${cmdlinePrefix}mem_agent_`)) return [];
    const key = name.slice(cmdlinePrefix.length);
    const bare = key.replace(/^mem_agent_/, '');
    return [{ key: isKataKey(bare) ? bare : key, value, place: file }];
  });
}

function textOf(file: string, option: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (failure) {
    throw new ColdpgsError('BAD_SETTING', 'EINVAL', `${option} ${file}: the file cannot be read.`, failure);
  }
}
