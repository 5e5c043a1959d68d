import type { Clock } from '../clock.js';
import type { CompactionEnd, CompactionInterface, CompactionRun, FreeMemory } from '../compaction.js';
import { PAGE_BYTES } from './bytes.js';
import type { Faults } from './faults.js';

const ORDERS = 11;

/** What is free on the simulated machine, and how compactions go there. All of it is a test's to change. */
export interface Fragmentation {
  /** Free blocks by order, all of them movable. */
  blocks: number[];
  /** Free pages that are in no block: those in the lists of the processors. */
  inProcessorLists: number;
  /** As many of these come out of the lists at a time. */
  drainedAtOnce: number;
  /** How long a compaction takes. */
  compactionMs: number;
  /** As many blocks of an order as one compaction joins, of those there are. */
  joinedAtOnce: number;
  /** Whether a process that compacts ends when it is killed. */
  endsWhenKilled: boolean;
}

/** Compaction of the simulated machine, whose free memory is all on node 0. */
export class SimulatedCompaction implements CompactionInterface {
  readonly fragmentation: Fragmentation = {
    blocks: Array.from({ length: ORDERS }, (_, order) => (order === ORDERS - 1 ? 64 : 0)),
    inProcessorLists: 0,
    drainedAtOnce: 2016,
    compactionMs: 2000,
    joinedAtOnce: Infinity,
    endsWhenKilled: true,
  };
  /** Compactions started so far: the node, or undefined for all. */
  readonly started: (number | undefined)[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly faults: Faults,
  ) {}

  prepare(): void {}

  close(): void {}

  async freeMemory(): Promise<FreeMemory> {
    this.faults.meet('freeMemory');
    const { blocks } = this.fragmentation;
    const movablePagesByOrder = blocks.map((count, order) => count * 2 ** order);
    const pages = movablePagesByOrder.reduce((sum, one) => sum + one, 0);
    return { freeBytes: pages * PAGE_BYTES, movablePagesByOrder, blocksByOrder: [...blocks] };
  }

  freeBlocksByNode(): ReadonlyMap<number, readonly number[]> {
    return new Map([[0, [...this.fragmentation.blocks]]]);
  }

  async drainProcessorLists(): Promise<void> {
    this.faults.meet('drainProcessorLists');
    const { blocks, drainedAtOnce, inProcessorLists } = this.fragmentation;
    const pages = Math.min(inProcessorLists, drainedAtOnce);
    this.fragmentation.inProcessorLists -= pages;
    blocks[0] = (blocks[0] ?? 0) + pages;
  }

  start(node?: number): CompactionRun {
    this.faults.meet('compact');
    this.started.push(node);
    const killed = new AbortController();
    const ended = (async (): Promise<CompactionEnd> => {
      await this.clock.sleep(this.fragmentation.compactionMs, killed.signal);
      if (killed.signal.aborted) return 'killed';
      this.#join();
      return 'done';
    })();
    const kill = (): void => {
      if (this.fragmentation.endsWhenKilled) killed.abort();
    };
    return { ended, kill };
  }

  #join(): void {
    const { blocks, joinedAtOnce } = this.fragmentation;
    for (let order = 0; order < ORDERS - 1; order++) {
      const pairs = Math.floor(Math.min(blocks[order] ?? 0, joinedAtOnce) / 2);
      blocks[order] = (blocks[order] ?? 0) - 2 * pairs;
      blocks[order + 1] = (blocks[order + 1] ?? 0) + pairs;
    }
  }
}
