import type { ProcessInterface } from '../kernel.js';
import type { AddressRange } from '../pagemap.js';
import { PAGE_BYTES, mib } from './bytes.js';
import { roomToKillBytes } from './charges.js';
import type { Faults } from './faults.js';
import type { SimulatedMemcg } from './memcg.js';
import type { PageSet, Run } from './page-set.js';
import type { World } from './world.js';

/** A run of a set where a process has it mapped. */
interface Mapped {
  readonly set: PageSet;
  readonly run: Run;
  readonly start: number;
  readonly end: number;
}

/** pagemap and /proc/PID/mem of the simulated machine. */
export class SimulatedProcesses implements ProcessInterface {
  constructor(
    private readonly world: World,
    private readonly faults: Faults,
    private readonly populateMsPerMib: number,
  ) {}

  /** Shared memory that is swapped out shows as not there, as in pagemap. */
  async *swappedRanges(pid: number): AsyncIterable<AddressRange> {
    this.faults.meet('swappedRanges');
    this.world.settle();
    for (const { set, run, start, end } of this.#mapped(pid)) {
      if (!this.#runs(pid)) return;
      if (run.place.kind === 'swap' && !set.nature.shmem) yield { start, end };
    }
  }

  /** Page cache of the model belongs to no process. */
  referencedFileBytes(): Promise<number> {
    return Promise.resolve(0);
  }

  /** Stops before memory.max would be broken, and notes that a real kernel would have killed (World.oomKills). */
  async populate(pid: number, range: AddressRange): Promise<number> {
    this.faults.meet('populate');
    this.world.settle();
    if (!this.#runs(pid)) return 0;
    let read = range.start;
    for (const { set, run, start, end } of this.#mapped(pid)) {
      if (end <= read) continue;
      if (start > read || read >= range.end) break;
      const until = Math.min(end, range.end);
      const first = run.first + (read - start) / PAGE_BYTES;
      const pages = (until - read) / PAGE_BYTES;
      if (run.place.kind === 'swap') {
        if (pages * PAGE_BYTES > roomToKillBytes(set.memcg)) {
          this.world.oomKills.push({ pid, path: set.memcg.path });
          break;
        }
        this.world.swapIn(set, { first, pages, place: run.place });
      }
      read = until;
    }
    const costMs = ((read - range.start) / mib(1)) * this.populateMsPerMib;
    if (costMs > 0) await this.world.clock.sleep(costMs);
    return read - range.start;
  }

  #runs(pid: number): boolean {
    return this.#memcgs().some(({ tasks }) => tasks.has(pid));
  }

  #mapped(pid: number): Mapped[] {
    return this.#memcgs()
      .flatMap(({ sets }) => [...sets])
      .flatMap((set) => {
        const { mapping } = set.nature;
        if (mapping?.pid !== pid) return [];
        return set.runs.map((run) => {
          const start = mapping.address + run.first * PAGE_BYTES;
          return { set, run, start, end: start + run.pages * PAGE_BYTES };
        });
      })
      .sort((one, other) => one.start - other.start);
  }

  #memcgs(): SimulatedMemcg[] {
    return this.world.tree.root.subtree();
  }
}
