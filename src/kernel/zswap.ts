/** zswap: swapped-out pages kept compressed in memory before they go to a swap device (Documentation/admin-guide/mm/zswap.rst). */
export type ZswapState = 'absent' | 'off' | 'on';

export interface ZswapInterface {
  /** At this moment: it can be switched at any time. Throws KERNEL_REFUSED. */
  state(): ZswapState;
}

/** Parses /sys/module/zswap/parameters/enabled; `undefined` where there is no such file. */
export function parseZswapState(text: string | undefined): ZswapState {
  if (text === undefined) return 'absent';
  return text.trim() === 'Y' ? 'on' : 'off';
}
