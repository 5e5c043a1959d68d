import type { Kernel, Memcg } from '../kernel/kernel.js';
import { maxAgePeriods } from './coldness.js';
import type { GlobalControls } from './controls.js';

/** How the anonymous memory of one memcg is to be split, and what stands in the way. */
export interface Split {
  /** What is proven idle for so long goes to a swap device; undefined: the kernel decides. */
  readonly deviceIdleMs?: number;
  readonly obstacle?: string;
}

/**
 * Where anonymous memory goes, as the module has it: ages up to threshold_nonrot to zswap, what is older to the swap device; all of it to the
 * device with threshold_nonrot at 0, and where there is no zswap.
 */
export class SwapSplit {
  constructor(
    private readonly kernel: Kernel,
    private readonly global: Readonly<GlobalControls>,
  ) {}

  /** Why nothing can go to zswap though threshold_nonrot asks for it; undefined when it can, or need not. */
  obstacleToZswap(): string | undefined {
    if (this.global.nonrotAgePeriods === 0) return undefined;
    const state = this.kernel.zswap.state();
    if (state === 'on') return undefined;
    const remedy =
      state === 'off' ? 'is off (echo Y > /sys/module/zswap/parameters/enabled)' : 'is not built into the kernel';
    return `threshold_nonrot is set, but zswap ${remedy}: all anonymous memory goes to the swap device`;
  }

  of(memcg: Memcg, periodMs: number): Split {
    if (this.kernel.zswap.state() !== 'on') return {};
    const obstacle = this.#obstacleToDevice(memcg);
    const { nonrotAgePeriods } = this.global;
    const noneIsOlder = nonrotAgePeriods >= maxAgePeriods;
    if (obstacle === undefined) return { deviceIdleMs: noneIsOlder ? Infinity : (nonrotAgePeriods + 1) * periodMs };
    if (nonrotAgePeriods === 0 || noneIsOlder) return {};
    return { obstacle: `anonymous memory of it is not split between zswap and the swap device: ${obstacle}` };
  }

  #obstacleToDevice({ path }: Memcg): string | undefined {
    const { settings } = this.kernel;
    if (settings.memcgFile(path, 'memory.zswap.max') === undefined)
      return 'the kernel has no memory.zswap.max for it (the root memcg and cgroup v1 have none)';
    for (let above = path; above !== ''; above = above.slice(0, above.lastIndexOf('/'))) {
      const writeback = settings.memcgFile(above, 'memory.zswap.writeback');
      if (writeback !== undefined && settings.read(writeback) === '0')
        return 'memory.zswap.writeback of it or an ancestor is 0, which keeps its memory off swap devices';
    }
    return undefined;
  }
}
