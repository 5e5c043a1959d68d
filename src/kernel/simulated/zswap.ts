import type { ZswapInterface, ZswapState } from '../zswap.js';
import type { World } from './world.js';

/** zswap of the simulated machine. */
export class SimulatedZswap implements ZswapInterface {
  constructor(private readonly world: World) {}

  state(): ZswapState {
    return this.world.zswapEnabled ? 'on' : 'off';
  }
}
