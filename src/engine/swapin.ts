import { ColdpgsError, sentenceOf } from '../errors.js';
import type { Clock } from '../kernel/clock.js';
import type { Kernel, Memcg } from '../kernel/kernel.js';
import { toText } from '../kernel/text.js';
import type { Log } from '../log.js';
import type { BorrowedSettings } from './borrowed-settings.js';
import type { Ledger } from './ledger.js';
import { isBelow } from '../kernel/lineage.js';

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

interface Progress {
  bytes: number;
  loggedMs: number;
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
    const progress: Progress = { bytes: 0, loggedMs: this.clock.nowMs() };
    for (const one of tree) await this.#swapInOne(one, progress, signal);
    this.log.info({ memcg: toText(memcg.path), broughtInBytes: progress.bytes }, 'swapped in');
    return { broughtInBytes: progress.bytes };
  }

  /** One memcg without its descendants. A memcg that is removed meanwhile has nothing left to bring in. */
  async #swapInOne(memcg: Memcg, progress: Progress, signal: AbortSignal): Promise<void> {
    let bytes = 0;
    let zswapInBefore = 0;
    try {
      const pids = await this.kernel.memcgs.tasks(memcg.path);
      if (pids.length === 0) return;
      zswapInBefore = await this.#zswapInPages(memcg);
      const giveBack = this.#forbidSwapOut(memcg);
      try {
        const pieces = this.#pieces(memcg, pids);
        const ended = await Promise.allSettled(
          Array.from({ length: readers }, () =>
            this.#bringIn(memcg, pieces, signal, (read) => {
              bytes += read;
              progress.bytes += read;
              this.#logProgress(memcg, progress);
            }),
          ),
        );
        const failed = ended.find((one) => one.status === 'rejected');
        if (failed) throw failed.reason as Error;
      } finally {
        giveBack();
      }
    } catch (failure) {
      if (!isGone(failure)) throw asSwapinFailure(memcg, failure);
    } finally {
      await this.#enter(memcg, bytes, zswapInBefore);
    }
  }

  /** One of the readers: takes pieces and reads them until there are none, the room is used up, or `signal` is aborted. */
  async #bringIn(
    memcg: Memcg,
    pieces: AsyncGenerator<Piece, void>,
    signal: AbortSignal,
    onRead: (bytes: number) => void,
  ): Promise<void> {
    for await (const piece of pieces) {
      if (signal.aborted) throw cancelled(memcg);
      await this.#checkRoom(piece);
      onRead(await this.kernel.processes.populate(piece.pid, piece));
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
      `The swap-in of memcg ${toText(piece.memcg.path)} stopped: only ${Math.floor(roomBytes / 1024)} kB are left under memory.max or memory.high of ` +
        `it or an ancestor. What is in stays in; raise the limit and write again.`,
    );
  }

  async #zswapInPages(memcg: Memcg): Promise<number> {
    try {
      return (await this.kernel.memory.stat(memcg.path)).zswapInPages ?? 0;
    } catch (failure) {
      if (isGone(failure)) return 0;
      throw failure;
    }
  }

  async #enter(memcg: Memcg, bytes: number, zswapInBefore: number): Promise<void> {
    if (bytes === 0 || this.kernel.memcgs.at(memcg.path)?.inode !== memcg.inode) return;
    const zswapInPages = Math.max(0, (await this.#zswapInPages(memcg)) - zswapInBefore);
    const fromZswap = Math.min(bytes, zswapInPages * this.kernel.pageBytes);
    this.ledger.add(memcg, { 'anon zswap in': fromZswap, 'anon swap in': bytes - fromZswap });
  }

  #logProgress(memcg: Memcg, progress: Progress): void {
    const nowMs = this.clock.nowMs();
    if (nowMs - progress.loggedMs < progressEveryMs) return;
    progress.loggedMs = nowMs;
    this.log.info({ memcg: toText(memcg.path), broughtInBytes: progress.bytes }, 'swapping in');
  }
}

function cancelled(memcg: Memcg): ColdpgsError {
  return new ColdpgsError(
    'CANCELLED',
    'EINTR',
    `The swap-in of memcg ${toText(memcg.path)} was cancelled; what is in stays in.`,
  );
}

function isGone(failure: unknown): boolean {
  return failure instanceof ColdpgsError && failure.code === 'MEMCG_GONE';
}

/** Whatever goes wrong in a swap-in is EIO to the writer, as with the module, but for a cancellation. */
function asSwapinFailure(memcg: Memcg, failure: unknown): ColdpgsError {
  if (failure instanceof ColdpgsError && (failure.code === 'MEMORY_LIMIT' || failure.code === 'CANCELLED'))
    return failure;
  return new ColdpgsError(
    'SWAPIN_FAILED',
    'EIO',
    `The swap-in of memcg ${toText(memcg.path)} failed: ${sentenceOf(failure)}. Mend that and write again.`,
    failure,
  );
}
