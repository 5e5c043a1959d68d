import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import { LockLoans, type LockJournal, type LockLoan } from './lock-loans.js';
import type { Ledger } from './ledger.js';
import type { Problems } from './problems.js';
import type { ReclaimRequest } from './run.js';
import { Turns } from './turns.js';

/** A run waits until unlocked memory is proven idle if no more than this is asked for; beyond, the next write takes it. */
export const patienceMs = 30_000;
const lookEveryMs = 250;
const looksToCount = 2;

/**
 * mlocked memory in runs. While memory is locked the kernel keeps it in no generation and does not look whether it is used, so nothing is known of its age: it is unlocked
 * first and ages like any other from then on. Its pages come among the two youngest generations, with all use since they were locked still to be seen, so that
 * the border that proves them idle is one born later.
 */
export class MlockedMemory {
  readonly #loans: LockLoans;
  readonly #turns = new Turns(Infinity);

  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    ledger: Ledger,
    private readonly problems: Problems,
    /** Undefined where mlocked memory must not be touched. */
    private readonly journal: LockJournal | undefined,
    log: Log,
    /** Whether the flags ask for the mlocked memory of a memcg, or of any. */
    private readonly isAskedFor: (memcg?: Memcg) => boolean,
  ) {
    this.#loans = new LockLoans(kernel, clock, ledger, problems, journal, log);
  }

  /** To be called before the mount. */
  prepare(): void {
    if (this.journal !== undefined && this.kernel.mlock.obstacle() === undefined)
      this.kernel.mlock.prepare(this.journal.file);
  }

  /** Gives all locks back. */
  async stop(): Promise<void> {
    await this.#loans.giveBackAll();
    this.kernel.mlock.close();
  }

  /** Gives locks back in time, until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.journal === undefined) return;
    while (!signal.aborted) {
      await this.#loans.giveBackDue();
      await this.clock.sleep(1000, signal);
    }
  }

  get processesLeftAlone(): number {
    return this.#loans.processesLeftAlone;
  }

  /** Says why nothing is done about mlocked memory although the flags ask for it. */
  mention(about: string): void {
    if (!this.isAskedFor()) return;
    const obstacle = this.journal === undefined ? notAllowed : this.kernel.mlock.obstacle();
    if (obstacle !== undefined) this.problems.report(about, `flags ask for mlocked pages (bit 0): ${obstacle}`);
  }

  /** The paths of those memcgs that have mlocked memory which may be reclaimed. */
  async among(memcgs: readonly Memcg[]): Promise<ReadonlySet<string>> {
    const paths = new Set<string>();
    for (const memcg of memcgs)
      if (this.#mayTake(memcg) && (await this.#unevictableBytes(memcg)) > 0) paths.add(memcg.path);
    return paths;
  }

  /**
   * A run of a memcg, with the locks of its processes taken off where flags and settings allow it. Waits until the memory is proven idle, or leaves it unlocked
   * for the next write where that takes too long. Throws what the run throws.
   */
  async around<Outcome>(request: ReclaimRequest, signal: AbortSignal, run: () => Promise<Outcome>): Promise<Outcome> {
    const { memcg, types, agePeriods, periodMs } = request;
    if (!this.#mayTake(memcg)) return run();
    return this.#turns.run(memcg.path, signal, async () => {
      const loan = this.#loans.of(memcg) ?? (await this.#loans.take(memcg, types));
      if (loan === undefined) return run();
      loan.endMs = Infinity;
      // Page cache is proven by its border and by a count of it that is as old (engine/census.ts); the next one comes within a look or two.
      const idleMs = (agePeriods + (types.includes('file') ? looksToCount : 0)) * periodMs;
      const proven = await this.#isProven(loan, idleMs, signal);
      if (!proven && !signal.aborted) this.problems.report(toText(memcg.path), watchedFromNow(agePeriods));
      try {
        return await run();
      } finally {
        if (proven || signal.aborted) await this.#loans.giveBack(loan);
        else loan.endMs = loan.unlockedAtMs + 4 * idleMs + patienceMs;
      }
    });
  }

  /** Whether a border proves the unlocked memory idle, waiting for it where that does not take long. */
  async #isProven(loan: LockLoan, idleMs: number, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      if (await this.#bordersAreOld(loan, idleMs)) return true;
      const waitedMs = this.clock.nowMs() - loan.unlockedAtMs;
      if (signal.aborted || idleMs > patienceMs || waitedMs > 4 * idleMs + patienceMs) return false;
      await this.clock.sleep(lookEveryMs, signal);
    }
  }

  /** The first border born after the unlocking must be as old as asked, and the generation below it must have come into reach of evictions. */
  async #bordersAreOld({ memcg, youngestSeq }: LockLoan, idleMs: number): Promise<boolean> {
    const listed = await this.kernel.lruGen.readOne(memcg.path);
    return (listed?.nodes ?? []).every(({ node, generations }) => {
      const before = youngestSeq.get(node) ?? -1n;
      const border = generations.find(({ seq }) => seq > before);
      const youngest = generations.at(-1);
      return border !== undefined && youngest !== undefined && border.ageMs >= idleMs && youngest.seq > border.seq;
    });
  }

  #mayTake(memcg: Memcg): boolean {
    return this.journal !== undefined && this.isAskedFor(memcg) && this.kernel.mlock.obstacle() === undefined;
  }

  async #unevictableBytes({ path }: Memcg): Promise<number> {
    const stat = await this.kernel.memory.stat(path).catch(() => undefined);
    return stat?.unevictableBytes ?? 0;
  }
}

const notAllowed = 'coldpgs takes no locks off the memory of processes unless it is started with --allow-mlocked';

function watchedFromNow(agePeriods: number): string {
  return `mlocked memory is unlocked now, because nothing is known of its age while it is locked; write again in ${agePeriods} periods or more to reclaim what is idle and give the locks back`;
}
