import { ColdpgsError, sentenceOf } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import type { BorrowedSettings } from './borrowed-settings.js';
import type { Ledger } from './ledger.js';
import { isBelow } from './turns.js';

/** Pages are brought in by pieces of this size, the memory limits looked at before each. */
const pieceBytes = 1024 * 1024;
/** Room left free under a memory limit beside the piece that is brought in: the memcg's own work needs some. */
const reserveBytes = 4 * 1024 * 1024;
/** Readers side by side on one memcg. */
const readers = 4;
const progressEveryMs = 3000;

export interface SwapinOutcome {
  readonly broughtInBytes: number;
}

interface Piece {
  readonly memcg: Memcg;
  readonly pid: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Brings the swapped-out memory of a memcg's processes back: the pages are read through the processes' own page tables so that
 * they are mapped again, with memory.swap.max at 0 meanwhile so that the kernel frees their slots.
 */
export class Swapin {
  constructor(
    private readonly kernel: Kernel,
    private readonly clock: Clock,
    private readonly ledger: Ledger,
    private readonly borrowed: BorrowedSettings,
    private readonly log: Log,
  ) {}

  /**
   * Swaps in a memcg and its descendants. Stops before memory.max of a memcg or its ancestors would be reached.
   * Throws MEMORY_LIMIT (EIO) then, SWAPIN_FAILED (EIO) when memory of a process could not be read, CANCELLED (EINTR); what is in stays in.
   */
  async run(memcg: Memcg, signal: AbortSignal): Promise<SwapinOutcome> {
    const tree = (await this.kernel.memcgs.list()).filter(
      (one) => one.path === memcg.path || isBelow(one.path, memcg.path),
    );
    const progress = { bytes: 0, loggedMs: this.clock.nowMs() };
    for (const one of tree) await this.#swapInOne(one, progress, signal);
    this.log.info({ memcg: toText(memcg.path), broughtInBytes: progress.bytes }, 'swapped in');
    return { broughtInBytes: progress.bytes };
  }

  async #swapInOne(memcg: Memcg, progress: { bytes: number; loggedMs: number }, signal: AbortSignal): Promise<void> {
    const pids = await this.#tasks(memcg);
    if (pids.length === 0) return;
    const giveBack = this.#forbidSwapOut(memcg);
    const zswapInBefore = await this.#zswapInPages(memcg);
    let bytes = 0;
    try {
      const pieces = this.#pieces(memcg, pids);
      const bringIn = async (): Promise<void> => {
        for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
          if (signal.aborted) throw this.#cancelled(memcg);
          await this.#checkRoom(next.value);
          const read = await this.kernel.processes.populate(next.value.pid, next.value);
          bytes += read;
          progress.bytes += read;
          this.#logProgress(memcg, progress);
        }
      };
      const ended = await Promise.allSettled(Array.from({ length: readers }, bringIn));
      const failed = ended.find((one) => one.status === 'rejected');
      if (failed) throw this.#asFailure(memcg, failed.reason);
    } finally {
      giveBack();
      await this.#enter(memcg, bytes, zswapInBefore);
    }
  }

  /** New swap-outs would only undo the work; and with the limit at 0 the kernel counts swap as full and frees slots as pages come in. */
  #forbidSwapOut(memcg: Memcg): () => void {
    const file = this.kernel.settings.memcgFile(memcg.path, 'memory.swap.max');
    return file === undefined ? () => undefined : this.borrowed.borrow(file, '0');
  }

  async *#pieces(memcg: Memcg, pids: readonly number[]): AsyncGenerator<Piece, void> {
    for (const pid of pids)
      for await (const { start, end } of this.kernel.processes.swappedRanges(pid))
        for (let at = start; at < end; at += pieceBytes)
          yield { memcg, pid, start: at, end: Math.min(at + pieceBytes, end) };
  }

  async #checkRoom(piece: Piece): Promise<void> {
    const roomBytes = await this.kernel.memory.room(piece.memcg.path);
    if (roomBytes >= (piece.end - piece.start) * readers + reserveBytes) return;
    throw new ColdpgsError(
      'MEMORY_LIMIT',
      'EIO',
      `The swap-in of memcg ${toText(piece.memcg.path)} stopped: only ${Math.floor(roomBytes / 1024)} kB are left under its memory.max or an ` +
        `ancestor's. What is in stays in; raise the limit and write again.`,
    );
  }

  async #tasks(memcg: Memcg): Promise<number[]> {
    try {
      return await this.kernel.memcgs.tasks(memcg.path);
    } catch (failure) {
      if (failure instanceof ColdpgsError && failure.code === 'MEMCG_GONE') return [];
      throw failure;
    }
  }

  async #zswapInPages(memcg: Memcg): Promise<number> {
    return (await this.kernel.memory.stat(memcg.path)).zswapInPages ?? 0;
  }

  async #enter(memcg: Memcg, bytes: number, zswapInBefore: number): Promise<void> {
    if (bytes === 0 || this.kernel.memcgs.at(memcg.path)?.inode !== memcg.inode) return;
    const fromZswap = Math.min(bytes, ((await this.#zswapInPages(memcg)) - zswapInBefore) * this.kernel.pageBytes);
    this.ledger.add(memcg, { 'anon zswap in': fromZswap, 'anon swap in': bytes - fromZswap });
  }

  #logProgress(memcg: Memcg, progress: { bytes: number; loggedMs: number }): void {
    const nowMs = this.clock.nowMs();
    if (nowMs - progress.loggedMs < progressEveryMs) return;
    progress.loggedMs = nowMs;
    this.log.info({ memcg: toText(memcg.path), broughtInBytes: progress.bytes }, 'swapping in');
  }

  #cancelled(memcg: Memcg): ColdpgsError {
    return new ColdpgsError('CANCELLED', 'EINTR', `The swap-in of memcg ${toText(memcg.path)} was cancelled; what is in stays in.`);
  }

  #asFailure(memcg: Memcg, reason: unknown): ColdpgsError {
    if (reason instanceof ColdpgsError && (reason.code === 'MEMORY_LIMIT' || reason.code === 'CANCELLED')) return reason;
    return new ColdpgsError(
      'SWAPIN_FAILED',
      'EIO',
      `The swap-in of memcg ${toText(memcg.path)} failed: ${sentenceOf(reason)}. Look at coldpgs/errors and write again.`,
      reason,
    );
  }
}
