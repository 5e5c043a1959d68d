/** What tests of kidled's files build their worlds and read their numbers by. */
import { mib } from '../../../src/kernel/simulated/bytes.js';
import { kidledFolder, served, type Served, type ServedOptions } from './served.js';

export const kidledPath = (name: string): string => `${kidledFolder}/${name}`;
export const statsPath = (memcg: string, local = ''): string =>
  `/sys/fs/cgroup${memcg === '/' ? '' : memcg}/memory.idle_page_stats${local}`;

/** Memory on a machine that is being watched; a period is 10 s. */
export async function watching(options: ServedOptions = {}): Promise<Served> {
  return served({ newCacheIsOld: true, ...options });
}

/** A row in MiB. */
export function row(it: Served, memcg: string, name: string, local = ''): number[] {
  const line = it
    .read(statsPath(memcg, local))
    .split('\n')
    .find((one) => one.startsWith(`  ${name} `));
  return (line ?? '')
    .trim()
    .split(/ +/)
    .slice(1)
    .map((bytes) => Number(bytes) / mib(1));
}

export function header(it: Served, memcg: string, name: string): string | undefined {
  return new RegExp(`^# ${name}: (.*)$`, 'm').exec(it.read(statsPath(memcg)))?.[1];
}

export const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0);
