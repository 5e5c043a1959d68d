import type { Kidled } from './kidled.js';
import type { Ledger, LedgerBytes } from './ledger.js';
import type { Reclaim, ReclaimOutcome } from './reclaim.js';
import type { ReclaimRequest } from './run.js';
import type { Turns } from './turns.js';

/** Runs of memcgs, each when its turn has come; page ages follow what they took. */
export class MemcgRuns {
  constructor(
    private readonly turns: Turns,
    private readonly reclaim: Reclaim,
    private readonly ledger: Ledger,
    private readonly kidled: Kidled,
  ) {}

  /** Throws MEMCG_GONE, KERNEL_REFUSED, CANCELLED. */
  async run(request: ReclaimRequest, signal: AbortSignal): Promise<ReclaimOutcome> {
    const { memcg } = request;
    return this.turns.run(memcg.path, signal, async () => {
      const before = { ...this.ledger.own(memcg) };
      try {
        return await this.reclaim.run(request, signal);
      } finally {
        const out = bytesOut(this.ledger.own(memcg), before);
        this.kidled.evicted(memcg, 'file', out.fileBytes);
        this.kidled.evicted(memcg, 'anon', out.anonBytes);
      }
    });
  }
}

/** What left a memcg between two states of its ledger. */
function bytesOut(after: LedgerBytes, before: LedgerBytes): { fileBytes: number; anonBytes: number } {
  const out = (row: keyof LedgerBytes): number => (after[row] ?? 0) - (before[row] ?? 0);
  return { fileBytes: out('pagecache dropped'), anonBytes: out('anon zswap out') + out('anon swap out') };
}
