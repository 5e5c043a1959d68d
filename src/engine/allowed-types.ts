import type { Kernel, Memcg } from '../kernel/kernel.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import {
  flagBits,
  type GlobalControls,
  ignoresAge,
  ignoresMlock,
  type MemcgControlTable,
  modeBits,
  modeOfFlags,
} from './controls.js';
import type { EngineSettings } from './engine-settings.js';
import type { PageType } from './eviction.js';
import type { Problems } from './problems.js';

const reclaimBits = modeBits.pageCache | modeBits.anon | modeBits.slab;

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

  /**
   * The page types, anon first as in the module. `asked`: somebody named the memcg, and is told what is not allowed. `by`: the memcg whose flags
   * count for it.
   */
  async of(memcg: Memcg, asked: boolean, by = memcg): Promise<PageType[]> {
    const about = toText(memcg.path);
    const mode = this.#mode(by);
    if (asked && mode === 0) this.problems.report(about, this.nothing() ? modeIsZero : gateIsShut);
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

  /** Whether neither mode nor the flags of some memcg in place of it allow anything. */
  nothing(): boolean {
    return (this.global.mode & reclaimBits) === 0 && !this.#someOverride();
  }

  /** Whether mode, or the flags of some memcg in place of it, allow page cache or anonymous memory. */
  pages(): boolean {
    return (this.global.mode & (modeBits.pageCache | modeBits.anon)) !== 0 || this.#someOverride();
  }

  /** Whether pages of a memcg go whatever their age (module 3.0.0). */
  ignoresAge(memcg: Memcg): boolean {
    if (this.settings.ignoreAge === 'off') return false;
    const byAll = this.settings.flagsGate === 'off' && (this.global.flags & flagBits.ignoreAge) !== 0;
    return byAll || this.#overrides(memcg);
  }

  /** Whether mlocked memory of a memcg, or of any, is asked for: by the global flags; with the strict gate by its own as well. */
  mlocked(memcg?: Memcg): boolean {
    const isOpen = !memcg || this.settings.flagsGate === 'off' || ignoresMlock(this.controls.of(memcg).flags);
    return (this.global.flags & flagBits.ignoreMlock) !== 0 && isOpen;
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
    const ofMemcg = modeOfFlags(this.controls.of(memcg).flags);
    if (this.#overrides(memcg)) return ofMemcg;
    return this.global.mode & reclaimBits & (this.settings.flagsGate === 'strict' ? ofMemcg : reclaimBits);
  }

  #someOverride(): boolean {
    return this.controls.entries().some(({ memcg }) => this.#overrides(memcg));
  }

  /** A memcg whose own flags ignore the age goes by their types as well, whatever mode says (module 3.0.0). */
  #overrides(memcg: Memcg): boolean {
    return this.settings.ignoreAge === 'on' && ignoresAge(this.controls.of(memcg).flags);
  }
}

export function anonLeftAlone(obstacle: string): string {
  return `anonymous memory was left alone: ${obstacle}`;
}

export const modeIsZero =
  'mode is 0, so nothing is reclaimed (bits 0 to 2 of it count): write 1 (page cache), 2 (anonymous memory), 4 (slab) or a sum of them to /sys/kernel/mm/coldpgs/mode';
const gateIsShut =
  'the flags gate is strict and bits 32-34 of memory.coldpgs.flags allow none of the types in mode: write for example 0x700000000 to it';
