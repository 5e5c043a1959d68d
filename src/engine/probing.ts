import type { Clock } from '../kernel/clock.js';
import type { Memcg } from '../kernel/kernel.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import type { Eviction, PageType } from './eviction.js';
import type { EvictionSteps } from './eviction-steps.js';
import { judgeProbe } from './probe.js';
import { takesWhatIsRead } from './read-sparing.js';
import type { ReclaimPace } from './reclaim-pace.js';
import type { Run } from './run.js';
import type { Vein } from './vein.js';

/** The probes of runs: a few pages first, and a look whether they come back. */
export class Probing {
  /** When a probe last showed that nothing of the type comes back, by identity and type. */
  readonly #good = new Map<string, { readonly memcg: Memcg; readonly atMs: number }>();

  constructor(
    private readonly clock: Clock,
    private readonly eviction: Eviction,
    private readonly steps: EvictionSteps,
    private readonly log: Log,
    private readonly pace: ReclaimPace,
    /** Told what share of the pages that looked cold a probe showed to be in use. */
    private readonly onProbed: (memcg: Memcg, type: PageType, usedShare: number) => void,
  ) {}

  /** Evicts a few pages of each type and node and looks whether they come back: closes the veins of a type that does, or makes them careful. */
  async probe(run: Run, veins: readonly Vein[]): Promise<void> {
    const { memcg } = run.request;
    let types = run.request.types.filter((type) => veins.some((vein) => vein.cold.type === type));
    for (let probesLeft = this.pace.probes - 1; types.length > 0 && run.leftPages > 0; probesLeft--) {
      const probed = new Map<PageType, { freedPages: number; refaultsBefore: number }>();
      for (const type of types) {
        const refaultsBefore = await this.eviction.refaults(memcg, type);
        let freedPages = 0;
        for (const vein of veins.filter((one) => one.cold.type === type))
          freedPages += (await this.steps.step(run, vein, this.pace.probePages)).freedPages;
        probed.set(type, { freedPages, refaultsBefore });
        if (type === 'file' && (await takesWhatIsRead(run, veins, this.log))) probed.delete(type);
      }
      if (run.signal.aborted || [...probed.values()].every(({ freedPages }) => freedPages === 0)) return;
      await this.steps.wait(run, this.pace.probeWaitMs);
      const again: PageType[] = [];
      for (const [type, { freedPages, refaultsBefore }] of probed) {
        const refaults = (await this.eviction.refaults(memcg, type)) - refaultsBefore;
        const verdict = judgeProbe(freedPages, refaults, probesLeft);
        this.log.debug({ memcg: toText(memcg.path), type, freedPages, refaults, verdict }, 'probed');
        if (freedPages > 0) this.onProbed(memcg, type, Math.min(1, Math.max(0, refaults / freedPages)));
        if (verdict === 'probe again') again.push(type);
        if (verdict === 'go on') this.#good.set(probeKey(run, type), { memcg, atMs: this.clock.nowMs() });
        if (verdict === 'go slower') for (const vein of veins) vein.careful ||= vein.cold.type === type;
        if (verdict === 'stop') {
          for (const vein of veins) if (vein.cold.type === type) vein.leftPages = 0;
          run.shortfalls.push(
            `${type} pages were left alone: ${refaults} of ${freedPages} evicted as a probe were used again within ${this.pace.probeWaitMs} ms`,
          );
        }
      }
      types = again;
    }
  }

  /** Whether a probe of the type went well within the last period. */
  isFresh(run: Run, type: PageType): boolean {
    // The probe shows whether reads are spared this time: what was in use before may have been spared then.
    if (type === 'file' && run.reads) return false;
    const good = this.#good.get(probeKey(run, type));
    return good !== undefined && this.clock.nowMs() - good.atMs < run.request.periodMs;
  }

  /** What a good probe said has turned out wrong. */
  forget(run: Run, type: PageType): void {
    this.#good.delete(probeKey(run, type));
  }

  /** Forgets what probes said of memcgs that are gone. */
  keepOnly(isLive: (memcg: Memcg) => boolean): void {
    for (const [key, { memcg }] of this.#good) if (!isLive(memcg)) this.#good.delete(key);
  }
}

function probeKey(run: Run, type: PageType): string {
  return `${run.request.memcg.inode} ${type}`;
}
