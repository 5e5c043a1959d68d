import { parseZswapState, type ZswapInterface, type ZswapState } from '../zswap.js';
import { readTextSync } from './kernel-file.js';
import type { KernelPaths } from './paths.js';
import { isGone, kernelRefused } from './refusal.js';

export class LinuxZswap implements ZswapInterface {
  constructor(private readonly paths: Pick<KernelPaths, 'zswapEnabled'>) {}

  state(): ZswapState {
    try {
      return parseZswapState(readTextSync(this.paths.zswapEnabled));
    } catch (error) {
      if (isGone(error)) return 'absent';
      throw kernelRefused(`Cannot read ${this.paths.zswapEnabled}.`, error);
    }
  }
}
