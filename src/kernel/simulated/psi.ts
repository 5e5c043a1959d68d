import type { PressureInterface } from '../kernel.js';
import type { PressureTotals } from '../psi.js';
import type { Faults } from './faults.js';
import type { World } from './world.js';

/** Pressure of the simulated machine: as long as a test says. That of a memcg is the sum of its subtree's, removed memcgs included. */
export class SimulatedPressure implements PressureInterface {
  constructor(
    private readonly world: World,
    private readonly faults: Faults,
    readonly scope: 'memcg' | 'machine',
  ) {}

  async totals(path: string): Promise<PressureTotals> {
    this.faults.meet('pressure');
    const asked = this.world.tree.live(path);
    const memcg = this.scope === 'machine' ? this.world.tree.root : asked;
    const nowMs = this.world.clock.nowMs();
    let memoryUs = 0;
    let ioUs = 0;
    for (const below of memcg.subtree()) {
      memoryUs += below.memoryStall.totalUs(nowMs);
      ioUs += below.ioStall.totalUs(nowMs);
    }
    return this.scope === 'machine' ? { memoryUs, ioUs, ofMachine: true } : { memoryUs, ioUs };
  }
}
