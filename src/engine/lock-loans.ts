import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import { HAS_ENDED, type LockChange, type LockedMemory } from '../kernel/mlock.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import type { PageType } from './eviction.js';
import type { Ledger } from './ledger.js';
import type { Problems } from './problems.js';

/** Where it is noted what must be locked again, so that a crash loses none: what is written must have reached the file when `write` returns. */
export interface LockJournal {
  readonly file: string;
  write(changes: readonly LockChange[]): void;
}

/** Locked memory of one memcg that is unlocked for a while. */
export interface LockLoan {
  readonly memcg: Memcg;
  /** When the last of it was unlocked. */
  unlockedAtMs: number;
  /** The youngest generation then, by node: none of the unlocked pages is in a younger one until it is seen in use. */
  youngestSeq: ReadonlyMap<number, bigint>;
  /** What gives the locks back, a process each. */
  readonly changes: LockChange[];
  /** What of it was in memory then, by process id. */
  readonly presentBytes: Map<number, number>;
  /** When the locks are given back, whatever has become of the memory; Infinity while a run works on it. */
  endMs: number;
  refusedTimes: number;
}

/** Milliseconds between two tries to give a process its locks back that could not be stopped, and how many there are. */
export const retryMs = 5_000;
const mostTries = 60;

/** Locks taken off the memory of processes and given back. Each is in the journal from before it is taken off until it is back. */
export class LockLoans {
  readonly #loans = new Map<bigint, LockLoan>();
  /** Processes that were to be unlocked and were left alone, since the start. */
  processesLeftAlone = 0;

  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    private readonly ledger: Ledger,
    private readonly problems: Problems,
    private readonly journal: LockJournal | undefined,
    private readonly log: Log,
  ) {}

  of(memcg: Memcg): LockLoan | undefined {
    return this.#loans.get(memcg.inode);
  }

  /** Unlocks what the processes of a memcg have locked of some types; undefined when that is nothing. Throws MEMCG_GONE, KERNEL_REFUSED. */
  async take(memcg: Memcg, types: readonly PageType[]): Promise<LockLoan | undefined> {
    const locked: LockedMemory[] = [];
    for (const pid of await this.kernel.memcgs.tasks(memcg.path)) {
      const memory = await this.kernel.mlock.lockedMemory(pid);
      const ranges = memory?.ranges.filter(({ kind }) => types.includes(kind)) ?? [];
      if (memory && ranges.length > 0) locked.push({ ...memory, ranges });
    }
    if (locked.length === 0) return undefined;
    const loan: LockLoan = {
      memcg,
      unlockedAtMs: this.clock.nowMs(),
      youngestSeq: new Map(),
      changes: locked.map(({ identity, ranges }) => ({ identity, to: 'locked', ranges })),
      presentBytes: new Map(),
      endMs: Infinity,
      refusedTimes: 0,
    };
    this.#loans.set(memcg.inode, loan);
    this.#note();
    for (const { identity, ranges } of locked) await this.#unlock(loan, { identity, to: 'unlocked', ranges });
    // Not before: while much is unlocked, the memcg may be aged, and what comes later is in younger generations.
    const listed = await this.kernel.lruGen.readOne(memcg.path);
    const youngest = listed?.nodes.map(({ node, generations }) => [node, generations.at(-1)?.seq ?? 0n] as const) ?? [];
    loan.youngestSeq = new Map(youngest);
    loan.unlockedAtMs = this.clock.nowMs();
    for (const { identity, ranges } of loan.changes)
      loan.presentBytes.set(identity.pid, await this.kernel.mlock.presentBytes(identity.pid, ranges));
    if (loan.changes.length > 0) return loan;
    this.#loans.delete(memcg.inode);
    this.#note();
    return undefined;
  }

  /** Gives the locks back: on fault, so that what has gone comes back only when it is used. What went is in the ledger. */
  async giveBack(loan: LockLoan): Promise<void> {
    let droppedBytes = 0;
    for (const change of [...loan.changes]) {
      const { pid } = change.identity;
      const leftBytes = await this.kernel.mlock.presentBytes(pid, change.ranges);
      const { refusal, stopsMs } = await this.kernel.mlock.change(change);
      this.#logChange(loan, change, stopsMs, refusal);
      if (refusal === undefined || refusal === HAS_ENDED) loan.changes.splice(loan.changes.indexOf(change), 1);
      if (refusal === undefined) droppedBytes += Math.max(0, (loan.presentBytes.get(pid) ?? 0) - leftBytes);
    }
    if (droppedBytes > 0) this.ledger.add(loan.memcg, { 'mlock dropped': droppedBytes });
    if (loan.changes.length > 0 && loan.refusedTimes++ < mostTries) loan.endMs = this.clock.nowMs() + retryMs;
    else this.#forget(loan);
    this.#note();
  }

  /** Gives back the locks whose time has come. */
  async giveBackDue(): Promise<void> {
    for (const loan of [...this.#loans.values()]) if (loan.endMs <= this.clock.nowMs()) await this.giveBack(loan);
  }

  async giveBackAll(): Promise<void> {
    for (const loan of [...this.#loans.values()]) await this.giveBack(loan);
  }

  async #unlock(loan: LockLoan, change: LockChange): Promise<void> {
    const { refusal, stopsMs } = await this.kernel.mlock.change(change);
    this.#logChange(loan, change, stopsMs, refusal);
    if (refusal === undefined) return;
    const { pid } = change.identity;
    if (refusal !== HAS_ENDED) {
      this.processesLeftAlone++;
      this.problems.report(toText(loan.memcg.path), `process ${pid} keeps mlocked memory: ${refusal}`);
    }
    // What was unlocked before it was refused must be locked again, if it can be.
    if (stopsMs.length === 0)
      loan.changes.splice(0, Infinity, ...loan.changes.filter((one) => one.identity.pid !== pid));
  }

  #forget(loan: LockLoan): void {
    this.#loans.delete(loan.memcg.inode);
    for (const { identity } of loan.changes)
      this.problems.report(toText(loan.memcg.path), `process ${identity.pid} did not get back the locks on its memory`);
  }

  #logChange({ memcg }: LockLoan, { identity, to }: LockChange, stopsMs: readonly number[], refusal?: string): void {
    const longestStopMs = Math.max(0, ...stopsMs);
    const fields = { memcg: toText(memcg.path), pid: identity.pid, to, stops: stopsMs.length, longestStopMs, refusal };
    this.log.debug(fields, 'changed the locks of a process');
  }

  #note(): void {
    this.journal?.write([...this.#loans.values()].flatMap(({ changes }) => changes));
  }
}
