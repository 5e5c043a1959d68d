import type { EvictCommand } from '../../../../src/kernel/kernel.js';
import type { Generation, Swappiness } from '../../../../src/kernel/lru-gen.js';
import type { SimulatedClock } from '../../../../src/kernel/simulated/clock.js';
import type { SimulatedMachine } from '../../../../src/kernel/simulated/machine.js';

/** Pages of so many MiB. */
export const pages = (mebibytes: number): number => mebibytes * 256;

/** Generations of a memcg on a node, oldest first. */
export async function generationsOf(machine: SimulatedMachine, path: string, node = 0): Promise<readonly Generation[]> {
  const listed = await machine.kernel.lruGen.readOne(path);
  return listed?.nodes[node]?.generations ?? [];
}

/** The id, and the generation that is `fromOldest` steps above the oldest. */
async function addressOf(
  machine: SimulatedMachine,
  path: string,
  fromOldest: number,
): Promise<{ id: string; seq: bigint }> {
  const listed = await machine.kernel.lruGen.readOne(path);
  const generation = listed?.nodes[0]?.generations.at(fromOldest);
  if (!listed || !generation) throw new Error(`${path} has no such generation`);
  return { id: listed.id, seq: generation.seq };
}

/** Ages a memcg `times` times, each after `intervalMs`. */
export async function age(
  machine: SimulatedMachine,
  clock: SimulatedClock,
  path: string,
  { times = 1, intervalMs = 4000 } = {},
): Promise<void> {
  for (let time = 0; time < times; time++) {
    await clock.advance(intervalMs);
    const { id, seq } = await addressOf(machine, path, -1);
    const refusals = await machine.kernel.lruGen.age([{ id, path, node: 0, maxSeq: seq }]);
    if (refusals[0]) throw refusals[0].error;
  }
}

/** The command that evicts the oldest generation of a memcg. */
export async function oldest(
  machine: SimulatedMachine,
  path: string,
  swappiness: Swappiness,
  wantedPages: number,
): Promise<EvictCommand> {
  const { id, seq } = await addressOf(machine, path, 0);
  return { id, path, node: 0, minSeq: seq, swappiness, pages: wantedPages };
}

export async function evictOldest(
  machine: SimulatedMachine,
  path: string,
  swappiness: Swappiness,
  wantedPages: number,
): Promise<void> {
  await machine.kernel.lruGen.evict(await oldest(machine, path, swappiness, wantedPages));
}
