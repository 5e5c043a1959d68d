import type { Kernel, Memcg } from '../kernel/kernel.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import { type GlobalControls, type MemcgControlTable, modeBits, modeOfFlags } from './controls.js';
import type { EngineSettings } from './engine-settings.js';
import type { PageType } from './eviction.js';
import type { Problems } from './problems.js';

/** What of a memcg may be reclaimed: as mode, the flags gate, swap and swappiness allow. */
export class AllowedTypes {
  constructor(
    private readonly kernel: Kernel,
    private readonly global: Readonly<GlobalControls>,
    private readonly controls: MemcgControlTable,
    private readonly settings: EngineSettings,
    private readonly problems: Problems,
    private readonly log: Log,
  ) {}

  /** The page types, anon first as in the module. `asked`: somebody named the memcg, and is told what is not allowed. */
  async of(memcg: Memcg, asked: boolean): Promise<PageType[]> {
    const about = toText(memcg.path);
    const mode = this.#mode(memcg);
    if (asked && this.global.mode === 0) this.problems.report(about, modeIsZero);
    else if (asked && mode === 0) this.problems.report(about, gateIsShut);
    const types: PageType[] = [];
    if (mode & modeBits.anon) {
      const obstacle = await this.obstacleToSwap(memcg);
      if (obstacle === undefined) types.push('anon');
      else if (asked) this.problems.report(about, anonLeftAlone(obstacle));
      else this.log.debug({ memcg: about }, anonLeftAlone(obstacle));
    }
    if (mode & modeBits.pageCache) types.push('file');
    return types;
  }

  slab(memcg: Memcg): boolean {
    return (this.#mode(memcg) & modeBits.slab) !== 0;
  }

  /** Why anonymous memory of the memcg cannot be swapped; undefined when it can. */
  async obstacleToSwap(memcg: Memcg): Promise<string | undefined> {
    if ((await this.kernel.memory.swapRoom(memcg.path)) < this.kernel.pageBytes)
      return (await this.kernel.swap.devices()).length === 0
        ? 'the machine has no swap; add some with swapon'
        : 'no swap is free for it; look at /proc/swaps and memory.swap.max';
    if ((await this.kernel.memory.swappiness(memcg.path)) === 0)
      return 'swappiness is 0, which forbids swapping; write another value to /proc/sys/vm/swappiness';
    return undefined;
  }

  #mode(memcg: Memcg): number {
    const gate = this.settings.flagsGate === 'strict' ? modeOfFlags(this.controls.of(memcg).flags) : ~0;
    return this.global.mode & gate;
  }
}

export function anonLeftAlone(obstacle: string): string {
  return `anonymous memory was left alone: ${obstacle}`;
}

export const modeIsZero =
  'mode is 0, so nothing is reclaimed: write 1 (page cache), 2 (anonymous memory), 4 (slab) or a sum of them to /sys/kernel/mm/coldpgs/mode';
const gateIsShut =
  'the flags gate is strict and bits 32-34 of memory.coldpgs.flags allow none of the types in mode: write for example 0x700000000 to it';
